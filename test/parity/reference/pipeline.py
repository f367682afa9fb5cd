"""diffusers' StableDiffusionPipeline with the U-Net `unet_sd1` or `unet_sd2`, the autoencoder `autoencoder_kl` and a text
encoder of its own. The folders `pipeline` and `pipeline_2` have what those files lack."""

import json

import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionPipeline
from transformers import CLIPTextConfig, CLIPTextModel

from . import common
from .autoencoder_kl import CONFIG, autoencoder
from .clip import MERGES, randomise, save_vocabulary
from .clip_tokens import tokenizer, vocabulary
from .unet import STABLE_DIFFUSION_1, STABLE_DIFFUSION_2, stable_diffusion

CONTEXT, SCALE, STEPS = 10, 2.5, 4
PROMPT, NEGATIVE, CLASSES = "a {}, in a photo", "dark", ["land bird", "water"]
# Stable Diffusion 1.x names PNDM; its options are those of the others.
SCHEDULER = dict(_class_name="PNDMScheduler", beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                 num_train_timesteps=1000, set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None)
SAMPLERS = {"ddim": DDIMScheduler, "euler": EulerDiscreteScheduler}


VERSIONS = {
    "pipeline": (STABLE_DIFFUSION_1, dict(hidden_act="quick_gelu"), {}),
    "pipeline_2": (STABLE_DIFFUSION_2, dict(hidden_act="gelu"), dict(prediction_type="v_prediction", set_alpha_to_one=False)),
}


def make():
    for name, (unet, text, scheduler) in VERSIONS.items():
        make_pipeline(name, unet, text, {**SCHEDULER, **scheduler})


def make_pipeline(name, unet, text, scheduler_config):
    folder = common.FOLDER / name
    ids, _ = vocabulary(MERGES)
    config = CLIPTextConfig(hidden_size=unet["cross_attention_dim"], intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                            vocab_size=len(ids), max_position_embeddings=CONTEXT, bos_token_id=len(ids) - 2, eos_token_id=len(ids) - 1, **text)
    text_encoder = randomise(CLIPTextModel(config), 70)
    text_encoder.save_pretrained(folder / "text_encoder")
    save_vocabulary(folder / "tokenizer")
    padding = "!"  # as Stable Diffusion 2
    (folder / "tokenizer" / "special_tokens_map.json").write_text(json.dumps({"pad_token": padding}) + "\n")
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler_config, indent=2) + "\n")
    for part, options, kind in (("unet", unet, "UNet2DConditionModel"), ("vae", CONFIG, "AutoencoderKL")):
        (folder / part).mkdir(exist_ok=True)
        (folder / part / "config.json").write_text(json.dumps(dict(options, _class_name=kind), indent=2) + "\n")

    words = tokenizer(MERGES)
    words.pad_token = padding
    words.model_max_length = CONTEXT
    generator = torch.Generator().manual_seed(71)
    latents = torch.randn(3, 4, 8, 8, generator=generator)
    classes = torch.tensor([0, 1, 0])
    case = {"x": latents, "classes": classes}
    for sampler, scheduler in SAMPLERS.items():
        pipeline = StableDiffusionPipeline(autoencoder(), text_encoder, words, stable_diffusion(unet), scheduler.from_config(scheduler_config),
                                           safety_checker=None, feature_extractor=None, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        # Euler's latents start with the deviation that its scheduler gives them.
        images = pipeline(prompt=[PROMPT.format(CLASSES[label]) for label in classes], negative_prompt=[NEGATIVE] * len(classes), latents=latents,
                          guidance_scale=SCALE, num_inference_steps=STEPS, output_type="pt").images
        case[f"images_{sampler}"] = images * 2 - 1
    common.save(f"{name}_case", case, dict(prompt=PROMPT, negative_prompt=NEGATIVE, classes=CLASSES, guidance_scale=SCALE, steps=STEPS))
