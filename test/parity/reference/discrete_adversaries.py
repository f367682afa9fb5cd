"""Discrete adversaries as the code of DAT and DAD makes them (arXiv 2209.07735, 2311.01441; easyrobust's pgd_generator), as a
plain loop: the VQGAN is diffusers' VQModel, without a random start."""

import torch
import torch.nn.functional as F
from diffusers import VQModel
from torch import nn

from .common import randomise_norms, save

SIZE, CLASSES = 16, 3
CASES = {  # epsilon and alpha as for 224 px
    "default": dict(norm="l2", epsilon=0.1, alpha=0.1, steps=1),
    "far": dict(norm="l2", epsilon=12.0, alpha=9.0, steps=3),  # leaves the ball, and 0..1
    "linf": dict(norm="linf", epsilon=0.04, alpha=0.03, steps=3),
}


def vqgan():
    config = dict(
        block_out_channels=(4, 8), layers_per_block=1, norm_num_groups=2, latent_channels=4, vq_embed_dim=3, num_vq_embeddings=64,
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"), up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
    )
    model = VQModel(**config).eval()
    randomise_norms(model)
    with torch.no_grad():  # a codebook that covers the latents, as a trained one does
        z = model.encode(torch.rand(16, 3, SIZE, SIZE) * 2 - 1).latents
        model.quantize.embedding.weight.copy_(z.mean((0, 2, 3)) + z.std((0, 2, 3)) * torch.randn(64, 3))
    return model, config


def classifier():
    """The features and the head of a small CNN, with its names."""
    features = nn.Sequential(nn.Conv2d(3, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
                             nn.Conv2d(6, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU())
    model = nn.ModuleDict({"features": features, "fc": nn.Linear(12, CLASSES)}).eval()
    randomise_norms(model)
    mean, std = torch.tensor([0.5, 0.45, 0.4]).view(1, 3, 1, 1), torch.tensor([0.2, 0.25, 0.3]).view(1, 3, 1, 1)
    return model, lambda x: model["fc"](model["features"]((x - mean) / std).mean((2, 3)))


def networks():
    torch.manual_seed(31)
    return vqgan(), classifier()


@torch.no_grad()
def discretise(model, x):
    codes = model.quantize(model.encode(x * 2 - 1).latents)[0]
    return (model.decode(codes, force_not_quantize=True).sample.clamp(-1, 1) + 1) / 2


def adversary(model, network, reconstruction, labels, norm, epsilon, alpha, steps):
    if norm == "l2":
        epsilon, alpha = epsilon * SIZE / 224, alpha * SIZE / 224
    z = reconstruction.clone()
    for _ in range(steps):
        z.requires_grad_(True)
        (gradient,) = torch.autograd.grad(F.cross_entropy(network(z), labels), z)
        with torch.no_grad():
            if norm == "l2":
                z = z + alpha * gradient / (gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10)
                change = (z - reconstruction).renorm(p=2, dim=0, maxnorm=epsilon)
            else:
                z = z + alpha * gradient.sign()
                change = (z - reconstruction).clamp(-epsilon, epsilon)
            z = (reconstruction + change).clamp(0, 1)
    return z, discretise(model, z)


def make():
    (model, config), (net, network) = networks()
    save("discrete_adversaries_vqgan", model.state_dict(), config)
    save("discrete_adversaries_classifier", net.state_dict(), {})
    pixels = torch.randint(0, 256, (3, SIZE, SIZE, 3)).float()
    labels = torch.arange(3) % CLASSES
    x = pixels.permute(0, 3, 1, 2) / 255
    case = {"pixels": pixels, "labels": labels, "reconstruction": discretise(model, x)}
    for name, options in CASES.items():
        case[f"{name}.moved"], case[f"{name}.images"] = adversary(model, network, case["reconstruction"], labels, **options)
    changed = [(case[f"{name}.images"] - case["default.images"]).abs().amax().item() for name in ("far", "linf")]
    assert min(changed) > 0.01, "no code has changed"
    save("discrete_adversaries_case", case, {"cases": CASES, **config})
