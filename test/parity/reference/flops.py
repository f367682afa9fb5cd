"""FLOPs of one image by torch.utils.flop_counter: timm's classifiers, torchvision's ResNets, a U-Net and TAESD of diffusers."""

import json

import timm
import torch
import torchvision
from diffusers import AutoencoderTiny, UNet2DConditionModel, UNet2DModel
from torch.utils.flop_counter import FlopCounterMode

from . import common

TIMM = ["vit_small_patch32_224", "deit_tiny_distilled_patch16_224", "vit_base_patch32_clip_224", "vit_small_patch14_reg4_dinov2", "convnext_tiny",
        "mobilenetv3_small_100", "efficientnet_b0"]


def count(model, *inputs, **options):
    # On the meta device: shapes suffice.
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model.eval()(*inputs, **options)
    return counter.get_total_flops()


def make():
    flops = {}
    with torch.device("meta"):
        for name in ("resnet18", "resnet50"):
            flops[name] = count(getattr(torchvision.models, name)(), torch.empty(1, 3, 224, 224))
        for name in TIMM:
            model = timm.create_model(name, num_classes=1000)
            size = model.pretrained_cfg["input_size"][-1]
            flops[name.removesuffix("_224")] = count(model, torch.empty(1, 3, size, size))
        unet = UNet2DModel(sample_size=32, block_out_channels=(128, 256, 256, 256), norm_eps=1e-6, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1,
                           attention_head_dim=None, down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
                           up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"))
        flops["ddpm-32"] = count(unet, torch.empty(1, 3, 32, 32), torch.empty(1, dtype=torch.long))
        # For images of 64 px, so that the test is quick.
        unet = UNet2DConditionModel(block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=768)
        flops["stable-diffusion-1"] = count(unet, torch.empty(1, 4, 8, 8), torch.empty(1, dtype=torch.long), torch.empty(1, 77, 768))
        flops["taesd"] = count(AutoencoderTiny(), torch.empty(1, 3, 256, 256))
    (common.FOLDER / "flops.json").write_text(json.dumps(flops, indent=1) + "\n")
