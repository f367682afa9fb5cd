"""diffusers' UNet2DModel."""

import torch
from diffusers import UNet2DModel

from .common import randomise_norms, save_model


def make():
    torch.manual_seed(1)
    config = dict(
        sample_size=16, in_channels=3, out_channels=3, block_out_channels=(16, 32, 32), layers_per_block=1,
        norm_num_groups=8, attention_head_dim=8, num_class_embeds=3,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    )
    model = UNet2DModel(**config)
    randomise_norms(model)
    save_model("unet", model, config, torch.randn(3, 3, 16, 16),
               timestep=torch.tensor([0, 421, 999]), class_labels=torch.tensor([0, 2, 1]))
