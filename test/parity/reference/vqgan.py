"""diffusers' VQModel, which computes what taming-transformers and latent-diffusion compute, with attention at the lowest
resolution as in their published models."""

import torch
from diffusers import VQModel

from .autoencoders import compvis_names, gradient_case, save_autoencoder
from .common import randomise_norms, save


def make():
    torch.manual_seed(22)
    config = dict(
        block_out_channels=(8, 16), layers_per_block=2, norm_num_groups=4, latent_channels=6, vq_embed_dim=4,
        num_vq_embeddings=200, down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
    )
    model = VQModel(**config)
    randomise_norms(model)
    with torch.no_grad():  # a codebook that covers the latents, as a trained one does
        z = model.encode(torch.randn(8, 3, 16, 16).clamp(-1, 1)).latents
        mean, std = z.mean((0, 2, 3)), z.std((0, 2, 3))
        model.quantize.embedding.weight.copy_(mean + std * torch.randn(config["num_vq_embeddings"], config["vq_embed_dim"]))
    case, config = save_autoencoder(
        "vqgan", model, config, size=16,
        encode=lambda model, x: model.encode(x).latents,
        decode=lambda model, z: model.decode(z, force_not_quantize=True).sample,
    )
    z = case["latents"]
    quantised, _, (_, _, indices) = model.quantize(z)
    assert indices.unique().numel() > 20, "the codebook is hardly used"
    _, d_round_trip, dx_round_trip = gradient_case(lambda x: model(x).sample, case["x"])
    case |= {"quantised": quantised, "indices": indices.reshape(z.shape[0], *z.shape[2:]),
             "round_trip": model(case["x"]).sample, "d_round_trip": d_round_trip, "dx_round_trip": dx_round_trip}
    save("vqgan_case", case, {**config, "compvis_names": compvis_names(model.state_dict(), levels=2)})
