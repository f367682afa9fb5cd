"""diffusers' AutoencoderKL, that of Stable Diffusion, with attention in the middle only."""

import torch
from diffusers import AutoencoderKL
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

from .autoencoders import compvis_names, gradient_case, save_autoencoder, with_compvis_names
from .common import randomise_norms, save


CONFIG = dict(
    block_out_channels=(8, 12, 16), layers_per_block=1, norm_num_groups=4, latent_channels=4, scaling_factor=0.18215,
    down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
)


def autoencoder():
    torch.manual_seed(21)
    model = AutoencoderKL(**CONFIG)
    randomise_norms(model)
    return model.eval()


def make():
    model, config = autoencoder(), CONFIG
    scale = config["scaling_factor"]
    case, config = save_autoencoder(
        "autoencoder_kl", model, config, size=16,
        encode=lambda model, x: model.encode(x).latent_dist.mode() * scale,
        decode=lambda model, z: model.decode(z / scale).sample,
    )
    names = compvis_names(model.state_dict(), levels=3)
    converted = convert_ldm_vae_checkpoint(with_compvis_names(model, names), config)
    assert converted.keys() == model.state_dict().keys()
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in converted.items())

    noise = torch.randn_like(case["latents"])

    def draw(x):
        posterior = model.encode(x).latent_dist
        return (posterior.mean + posterior.std * noise) * scale

    drawn, d_drawn, dx_drawn = gradient_case(draw, case["x"])
    case |= {"noise": noise, "drawn": drawn, "d_drawn": d_drawn, "dx_drawn": dx_drawn}
    save("autoencoder_kl_case", case, {**config, "compvis_names": names})
