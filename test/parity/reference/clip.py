"""CLIP in the forms that its weights are met in: transformers' and open_clip's model folders, OpenAI's names in 16 bits,
and text towers alone. The vocabulary is that of the first 100 merges."""

import copy
import json

import torch

from . import common
from .clip_tokens import tokenizer, vocabulary
from .common import randomise_norms, save

import open_clip
from open_clip.model import build_model_from_openai_state_dict
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

MERGES, CONTEXT = 100, 24
PROMPTS = ["a photo of a {}.", "{} \U0001f426!"]
CLASSES = ["cat", "water bird", "\u00e9t\u00e9", "dog", "a", "ship at sea", "7", "tree", "house", "fire-truck"]
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def randomise(model, seed):
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name != "logit_scale":
            torch.nn.init.normal_(parameter, 0.0, 0.2)
    randomise_norms(model)
    return model.eval()


def save_vocabulary(folder):
    ids, merges = vocabulary(MERGES)
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def tokens():
    """[classes, prompts, CONTEXT]"""
    texts = [prompt.format(name) for name in CLASSES for prompt in PROMPTS]
    ids = tokenizer(MERGES)(texts, padding="max_length", max_length=CONTEXT, truncation=True, return_tensors="pt")["input_ids"]
    return ids.view(len(CLASSES), len(PROMPTS), CONTEXT)


def save_text(name, texts, embed, table, config, **more):
    """Embeddings of texts [B, N], and their gradient with respect to the table of token embeddings."""
    embeddings = embed(texts)
    cotangent = torch.randn_like(embeddings)
    (gradient,) = torch.autograd.grad((embeddings * cotangent).sum(), table)
    save(name, {"tokens": texts, "embeddings": embeddings, "cotangent": cotangent, "gradient": gradient, **more}, config)


def save_zero_shot(name, model, embed_image, embed_text, size=32):
    """The zero-shot classifier on pixels in 0..1; and how far off the reference is when it computes in bf16."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    x = torch.rand(3, 3, size, size, requires_grad=True)
    with torch.no_grad():
        texts = torch.stack([unit(unit(embed_text(model, prompts)).mean(0)) for prompts in tokens()])

    def classify(dtype, model):
        pixels = torch.nn.functional.interpolate(x, (32, 32), mode="bicubic", antialias=True)
        logits = model.logit_scale.exp().to(dtype) * unit(embed_image(model, ((pixels - mean) / std).to(dtype))) @ texts.to(dtype).T
        return logits, torch.autograd.grad((logits * cotangent).sum(), x)[0]

    cotangent = torch.randn(len(x), len(texts))
    y, dx = classify(torch.float32, model)
    in_bf16 = classify(torch.bfloat16, copy.deepcopy(model).bfloat16())
    errors = [((found.float() - expected).norm() / expected.norm()).item() for found, expected in zip(in_bf16, (y, dx))]
    save(name, {"x": x, "y": y, "cotangent": cotangent, "dx": dx}, dict(classes=CLASSES, prompts=PROMPTS, bf16=dict(zip(("logits", "gradient"), errors))))


def make_transformers():
    ids, _ = vocabulary(MERGES)
    text = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=len(ids),
                max_position_embeddings=CONTEXT, bos_token_id=len(ids) - 2, eos_token_id=len(ids) - 1)
    vision = dict(hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=3, image_size=32, patch_size=8)
    model = randomise(CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)), 60)
    folder = common.FOLDER / "clip_transformers"
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": STD}) + "\n")
    save_vocabulary(folder)

    texts = tokens().flatten(0, 1)
    output = model.text_model(input_ids=texts, output_hidden_states=True)
    embed_text = lambda model, texts: model.get_text_features(input_ids=texts).pooler_output
    embed_image = lambda model, x: model.get_image_features(pixel_values=x).pooler_output
    save_text("clip_transformers_text", texts, lambda texts: embed_text(model, texts), model.text_model.embeddings.token_embedding.weight, {},
              states=output.last_hidden_state, states_skip=model.text_model.final_layer_norm(output.hidden_states[-2]))
    # CLIPModel's own logits, of the first prompt alone
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    x = torch.rand(2, 3, 32, 32)
    save("clip_transformers_logits", {"x": x, "y": model(input_ids=tokens()[:, 0], pixel_values=(x - mean) / std).logits_per_image},
         dict(classes=CLASSES, prompts=PROMPTS[:1]))
    save_zero_shot("clip_transformers_case", model, embed_image, embed_text)
    for size in (20, 45):
        save_zero_shot(f"clip_transformers_{size}px", model, embed_image, embed_text, size)


def make_open_clip():
    ids, _ = vocabulary(MERGES)
    config = dict(embed_dim=24, vision_cfg=dict(image_size=32, layers=2, width=48, head_width=16, patch_size=8),
                  text_cfg=dict(context_length=CONTEXT, vocab_size=len(ids), width=32, heads=2, layers=2))
    model = randomise(open_clip.model.CLIP(**config), 61)
    folder = common.FOLDER / "clip_open_clip"
    save_vocabulary(folder)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD}}, indent=2) + "\n")
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    save_text("clip_open_clip_text", tokens().flatten(0, 1), model.encode_text, model.token_embedding.weight, {})
    save_zero_shot("clip_open_clip_case", model, type(model).encode_image, type(model).encode_text)


def make_openai():
    """OpenAI's files hold 16-bit weights and three scalars; their heads have 64 channels each."""
    ids, _ = vocabulary(MERGES)
    shape = open_clip.model.CLIP(24, dict(image_size=32, layers=1, width=64, patch_size=16),
                                 dict(context_length=CONTEXT, vocab_size=len(ids), width=64, heads=1, layers=1), quick_gelu=True)
    weights = {name: tensor.half() for name, tensor in randomise(shape, 62).state_dict().items()}
    scalars = dict(input_resolution=32, context_length=CONTEXT, vocab_size=len(ids))
    folder = common.FOLDER / "clip_openai"
    save_vocabulary(folder)
    save_file({**weights, **{name: torch.tensor(value) for name, value in scalars.items()}}, folder / "model.safetensors")
    model = build_model_from_openai_state_dict(dict(weights), cast_dtype=torch.float32).float().eval()
    save_text("clip_openai_text", tokens().flatten(0, 1), model.encode_text, model.token_embedding.weight, {})
    save_zero_shot("clip_openai_case", model, type(model).encode_image, type(model).encode_text)


def make_text_towers():
    """Text encoders as in the folders of Stable Diffusion: one with, one without a projection."""
    config = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, vocab_size=40, max_position_embeddings=9,
                  projection_dim=12, bos_token_id=38, eos_token_id=39, hidden_act="gelu")
    for name, kind, pooled in (("projection", CLIPTextModelWithProjection, "text_embeds"), ("plain", CLIPTextModel, "pooler_output")):
        model = randomise(kind(CLIPTextConfig(**config)), 63)
        model.save_pretrained(common.FOLDER / f"clip_text_{name}")
        texts = torch.randint(0, 38, (4, 9))
        texts[:, 0] = 38
        for row, length in enumerate((3, 9, 5, 8)):
            texts[row, length - 1:] = 39
        tower = getattr(model, "text_model", model)
        output = model(input_ids=texts, output_hidden_states=True)
        save_text(f"clip_text_{name}_case", texts, lambda texts: getattr(model(input_ids=texts), pooled), tower.embeddings.token_embedding.weight, config,
                  states=output.last_hidden_state, states_skip=tower.final_layer_norm(output.hidden_states[-2]))


def make():
    make_transformers()
    make_open_clip()
    make_openai()
    make_text_towers()
