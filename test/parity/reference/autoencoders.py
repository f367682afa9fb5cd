"""What the references of the autoencoders share: cases of encoding and decoding, and the names of CompVis."""

import torch

from .common import save


def compvis_names(keys, levels):
    """What taming-transformers and latent-diffusion call the weights that diffusers calls `keys`."""
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
    names = {}
    for key in keys:
        name = key.replace("mid_block.attentions.0", "mid.attn_1").replace("conv_norm_out", "norm_out")
        name = name.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
        if "attn_1" in name or "attentions" in name:
            for theirs, ours in attention.items():
                name = name.replace(f".{theirs}.", f".{ours}.")
        for level in range(levels):
            name = name.replace(f"down_blocks.{level}.", f"down.{level}.")
            name = name.replace(f"up_blocks.{level}.", f"up.{levels - 1 - level}.")
        name = name.replace(".resnets.", ".block.").replace(".attentions.", ".attn.").replace("conv_shortcut", "nin_shortcut")
        names[key] = name.replace("downsamplers.0", "downsample").replace("upsamplers.0", "upsample")
    return names


def with_compvis_names(model, names):
    """The weights of `model` as CompVis stores them: under its names, the projections of attention as 1x1 convolutions."""
    weights = {}
    for key, value in model.state_dict().items():
        is_projection = any(part in names[key] for part in (".q.", ".k.", ".v.", ".proj_out."))
        weights[names[key]] = value[:, :, None, None] if is_projection and value.dim() == 2 else value
    return weights


def gradient_case(function, x):
    """function(x), a random cotangent, and the gradient of sum(function(x) * cotangent)."""
    x = x.detach().requires_grad_(True)
    y = function(x)
    cotangent = torch.randn_like(y)
    return y.detach(), cotangent, torch.autograd.grad(y, x, cotangent)[0]


def bf16_errors(function, x, y, cotangent, dx):
    """How far the reference itself, its module converted to bf16, is from fp32: of the output and of the gradient."""
    x = x.detach().requires_grad_(True)
    found = function(x.bfloat16()).float()
    (gradient,) = torch.autograd.grad(found, x, cotangent)
    return [((a - b).norm() / b.norm()).item() for a, b in ((found, y), (gradient, dx))]


def save_autoencoder(name, model, config, encode, decode, size):
    """The weights, and the cases encode(model, x) and decode(model, z) with their gradients and errors in bf16."""
    model.eval()
    x = torch.randn(2, 3, size, size).clamp(-1, 1)
    latents, d_latents, dx = gradient_case(lambda x: encode(model, x), x)
    z = latents + 0.3 * latents.std() * torch.randn_like(latents)
    y, dy, dz = gradient_case(lambda z: decode(model, z), z)
    save(name, model.state_dict(), config)
    case = {"x": x, "latents": latents, "d_latents": d_latents, "dx": dx, "z": z, "y": y, "dy": dy, "dz": dz}
    half = type(model).from_config(model.config)
    half.load_state_dict(model.state_dict())
    half = half.bfloat16().eval()
    errors = {"encode": bf16_errors(lambda x: encode(half, x), x, latents, d_latents, dx),
              "decode": bf16_errors(lambda z: decode(half, z), z, y, dy, dz)}
    return case, {**config, "size": size, "bf16_errors": errors}
