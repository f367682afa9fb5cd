"""diffusers' AutoencoderKL, VQModel and AutoencoderTiny, also under the names of CompVis."""

import diffusers
import torch
from safetensors.torch import save_file

from ..autoencoders import compvis_names, with_compvis_names
from .measure import Part, randomise


def encode_kl(model, x):
    return model.encode(x).latent_dist.mode() * model.config.scaling_factor


def decode_kl(model, z):
    return model.decode(z / model.config.scaling_factor).sample


FUNCTIONS = {
    "AutoencoderKL": (encode_kl, decode_kl),
    "VQModel": (lambda model, x: model.encode(x).latents, lambda model, z: model.decode(z, force_not_quantize=True).sample),
    "AutoencoderTiny": (lambda model, x: model.encode(x).latents, lambda model, z: model.decode(z).sample),
}


def build(description, folder):
    reference, size = description["reference"], description["size"]
    kind = reference["config"]["_class_name"]
    encode, decode = FUNCTIONS[kind]
    # A ReLU halves the variance of what it passes on.
    model = randomise(getattr(diffusers, kind).from_config(reference["config"]), gain=2**0.5 if kind == "AutoencoderTiny" else 1.0)
    layout = torch.channels_last if description.get("channelsLast") else torch.contiguous_format
    model.to(memory_format=layout)
    x = torch.randn(description.get("batch", 1), 3, size, size).clamp(-1, 1).contiguous(memory_format=layout)
    with torch.no_grad():
        latents = encode(model, x)
    z = latents + 0.3 * latents.std() * torch.randn_like(latents)
    parts = [Part("encoder", {"x": x}, encode, {"gradient": "x"}), Part("decoder", {"x": z}, decode, {"gradient": "x"})]
    if kind == "VQModel":  # a codebook that covers the latents, as a trained one does
        codes = model.quantize.embedding.weight.data
        codes.copy_(latents.mean((0, 2, 3)) + latents.std((0, 2, 3)) * torch.randn_like(codes))
        parts.append(Part("codes", {"x": z}, lambda model, x: model.quantize(x)[0], in_bf16=False))
    weights = model.state_dict()
    if reference.get("names") == "CompVis":
        weights = with_compvis_names(model, compvis_names(weights, levels=len(reference["config"]["block_out_channels"])))
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "weights.safetensors")
    return model, parts
