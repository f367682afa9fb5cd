"""diffusers' AutoencoderTiny (TAESD)."""

import torch
from diffusers import AutoencoderTiny

from .autoencoders import save_autoencoder
from .common import save


def make():
    torch.manual_seed(23)
    config = dict(
        encoder_block_out_channels=(12, 12, 12), decoder_block_out_channels=(12, 12, 12), num_encoder_blocks=(1, 1, 2),
        num_decoder_blocks=(2, 1, 1), latent_channels=4,
    )
    model = AutoencoderTiny(**config)
    for module in model.modules():  # its initialisation lets hardly anything of the input through
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    case, config = save_autoencoder(
        "taesd", model, config, size=16,
        encode=lambda model, x: model.encode(x).latents,
        decode=lambda model, z: model.decode(z).sample,
    )
    save("taesd_case", case, config)
