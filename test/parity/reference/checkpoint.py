"""One file with a whole Stable Diffusion, as CompVis and Stability AI wrote it: the names and shapes of its tensors at full
size, and the small U-Nets `unet_sd1` and `unet_sd2` under those names. diffusers' own conversion confirms each name."""

import gzip
import json

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel

from . import common
from .autoencoders import compvis_names
from .unet import STABLE_DIFFUSION_1, STABLE_DIFFUSION_2

import open_clip

FULL = dict(
    sample_size=64, block_out_channels=(320, 640, 1280, 1280), layers_per_block=2, cross_attention_dim=768, attention_head_dim=8,
    down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
)
FULL_2 = dict(FULL, sample_size=96, cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True)
VAE = dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2, norm_num_groups=32, latent_channels=4,
           down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
RESIDUAL = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3",
            "conv_shortcut": "skip_connection"}
OUTSIDE = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
           "conv_norm_out": "out.0", "conv_out": "out.2"}


def places(config):
    """Where CompVis has each residual block, attention and resampling: {"down_blocks.0.resnets.1": "input_blocks.2.0", ...}."""
    levels, layers = len(config["block_out_channels"]), config["layers_per_block"]
    found = {"mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1", "mid_block.resnets.1": "middle_block.2"}
    for level in range(levels):
        begin = 1 + level * (layers + 1)
        for layer in range(layers):
            found[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{begin + layer}.0"
            found[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{begin + layer}.1"
        found[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{begin + layers}.0.op"
        begin = level * (layers + 1)
        for layer in range(layers + 1):
            found[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{begin + layer}.0"
            found[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{begin + layer}.1"
        attends = "Attn" in config["up_block_types"][level]
        found[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{begin + layers}.{2 if attends else 1}.conv"
    return found


def unet_names(model, config):
    names = {}
    for key in model.state_dict():
        place = next((place for place in {**places(config), **OUTSIDE}.items() if key.startswith(place[0] + ".")), None)
        ours, theirs = place
        rest = key.removeprefix(ours + ".")
        if ".resnets." in ours:
            part, kind = rest.rsplit(".", 1)
            rest = f"{RESIDUAL[part]}.{kind}"
        names[key] = f"model.diffusion_model.{theirs}.{rest}"
    # Each tensor stands for itself: diffusers must bring every one of them back to where it came from.
    marked = {theirs: torch.full((2, 2, 1, 1), float(i), device="cpu") for i, theirs in enumerate(names.values())}
    converted = convert_ldm_unet_checkpoint(marked, dict(config, class_embed_type=None, addition_embed_type=None))
    assert {key: int(value.flatten()[0]) for key, value in converted.items()} == {key: i for i, key in enumerate(names)}
    return names


def shapes_of(model, names):
    return {names[key]: list(value.shape) for key, value in model.state_dict().items() if key in names}


def make():
    whole = {}
    with torch.device("meta"):
        for name, config in (("sd1", FULL), ("sd2", FULL_2)):
            unet, vae = UNet2DConditionModel(**config), AutoencoderKL(**VAE)
            vae_names = {key: f"first_stage_model.{theirs}" for key, theirs in compvis_names(vae.state_dict(), levels=4).items()}
            whole[name] = {**shapes_of(unet, unet_names(unet, config)), **shapes_of(vae, vae_names)}
        for key in [key for key in whole["sd1"] if ".attn_1." in key and len(whole["sd1"][key]) == 2]:
            for shapes in whole.values():
                shapes[key] += [1, 1]
        text = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12))
        for key, value in text.state_dict().items():
            whole["sd1"][f"cond_stage_model.transformer.text_model.{key.removeprefix('text_model.')}"] = list(value.shape)
        clip = open_clip.create_model("ViT-H-14", device="meta")
        for key, value in clip.state_dict().items():
            if not key.startswith("visual."):
                whole["sd2"][f"cond_stage_model.model.{key}"] = list(value.shape)
    small = {}
    for name, config in (("unet_sd1", STABLE_DIFFUSION_1), ("unet_sd2", STABLE_DIFFUSION_2)):
        with torch.device("meta"):
            small[name] = unet_names(UNet2DConditionModel(**config), config)
    text = json.dumps({"full": whole, "small": small})
    (common.FOLDER / "checkpoint_names.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
