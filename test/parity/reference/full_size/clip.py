"""CLIP of transformers and of open_clip, in its own form or OpenAI's, and text towers as Stable Diffusion has them."""

import json

import open_clip
import torch
from open_clip.model import build_model_from_openai_state_dict
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel

from ..clip import MEAN, STD, unit
from ..clip_tokens import CONTEXT, tokenizer
from .measure import Part, randomise


def tokens(texts):
    """[texts, CONTEXT]"""
    return tokenizer()(texts, padding="max_length", max_length=CONTEXT, truncation=True, return_tensors="pt")["input_ids"]


def zero_shot(embed_image, embed_text, prompts):
    """The zero-shot classifier on pixels in 0..1, for prompts [classes, prompts, CONTEXT]; its head is never computed in bf16."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    head = None

    def classify(model, x):
        nonlocal head
        if x.dtype != torch.bfloat16:
            with torch.no_grad():
                head = unit(torch.stack([unit(embed_text(model, texts)).mean(0) for texts in prompts]))
        images = ((x.to(torch.promote_types(x.dtype, torch.float32)) - mean) / std).to(x.dtype)
        return model.logit_scale.exp() * unit(embed_image(model, images)) @ head.to(x.dtype).T

    return classify


def clip_parts(description, embed_image, embed_text, table):
    size = description["size"]
    prompts = torch.stack([tokens([prompt.format(name) for prompt in description["prompts"]]) for name in description["classes"]])
    return [
        Part("zero-shot logits", {"x": torch.rand(description["batch"], 3, size, size)}, zero_shot(embed_image, embed_text, prompts), {"gradient": "x"}),
        Part("text embeddings", {"tokens": prompts.flatten(0, 1)}, lambda model, tokens: embed_text(model, tokens), {"gradient": table}, in_bf16=False),
    ]


def build_transformers(description, folder):
    model = randomise(CLIPModel(CLIPConfig(**description["reference"]["transformers"])))
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": STD}))
    return model, clip_parts(
        description,
        lambda model, x: model.get_image_features(pixel_values=x).pooler_output,
        lambda model, texts: model.get_text_features(input_ids=texts).pooler_output,
        lambda model: model.text_model.embeddings.token_embedding.weight,
    )


def build_open_clip(description, folder):
    reference = description["reference"]
    config = open_clip.get_model_config(reference.get("openClip", reference.get("openai")))
    model = randomise(open_clip.model.CLIP(**config, quick_gelu="openai" in reference))
    if "openai" in reference:  # 16 bits, and no config file
        weights = {name: tensor.half() for name, tensor in model.state_dict().items()}
        model = build_model_from_openai_state_dict(dict(weights), cast_dtype=torch.float32).float()
        save_file(weights, folder / "model.safetensors")
    else:
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD}}))
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model, clip_parts(description, type(model).encode_image, type(model).encode_text, lambda model: model.token_embedding.weight)


def build_text(description, folder):
    """The states that a U-Net is given: those after the last block, and after the one before it."""
    model = randomise(CLIPTextModel(CLIPTextConfig(**description["reference"]["text"])))
    model.save_pretrained(folder)
    tower = getattr(model, "text_model", model)
    table = lambda model: getattr(model, "text_model", model).embeddings.token_embedding.weight

    def states(model, tokens, skip=0):
        output = model(input_ids=tokens, output_hidden_states=True)
        return tower.final_layer_norm(output.hidden_states[-1 - skip])

    inputs = {"tokens": tokens(description["texts"])}
    return model, [
        Part("states", inputs, states, in_bf16=False),
        Part("states without the last block", inputs, lambda model, tokens: states(model, tokens, skip=1), in_bf16=False),
        Part("text embeddings", inputs, lambda model, tokens: model(input_ids=tokens).pooler_output, {"gradient": table}, in_bf16=False),
    ]


def build(description, folder):
    reference = description["reference"]
    builders = {"transformers": build_transformers, "openClip": build_open_clip, "openai": build_open_clip, "text": build_text}
    return next(make for kind, make in builders.items() if kind in reference)(description, folder)
