"""LPIPS on VGG16 by the authors' package `lpips`, with narrow stages and random weights in place of the published ones."""

import copy
from types import SimpleNamespace

import lpips
import torch
from torchvision.models.vgg import make_layers

from . import common

CHANNELS = (4, 6, 8, 8, 12)


def narrow_vgg(*_, **__):
    convolutions = (2, 2, 3, 3, 3)
    layers = [layer for width, count in zip(CHANNELS, convolutions) for layer in [width] * count + ["M"]]
    return SimpleNamespace(features=make_layers(layers))


def make():
    torch.manual_seed(41)
    lpips.pretrained_networks.tv.vgg16 = narrow_vgg
    model = lpips.LPIPS(net="vgg", pretrained=False, pnet_rand=True, verbose=False)
    for stage, width in enumerate(CHANNELS):
        layer = lpips.NetLinLayer(width, use_dropout=True)
        torch.nn.init.uniform_(layer.model[1].weight, 0, 1)  # the published ones are not negative either
        setattr(model, f"lin{stage}", layer)
        model.lins[stage] = layer
    for name, parameter in model.net.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, 0, 0.1)
    model.eval()
    state = model.state_dict()
    common.save("lpips", {name: value.clone() for name, value in state.items() if not name.startswith("lins.")}, {})

    images, targets = (torch.rand(2, 3, 32, 32) * 2 - 1 for _ in range(2))

    def differentiate(network, dtype):
        x = images.to(dtype).requires_grad_(True)
        distance = network(x, targets.to(dtype)).mean()  # of [B, 1, 1, 1]
        return distance.detach().float(), torch.autograd.grad(distance, x)[0].float()

    distance, gradient = differentiate(model, torch.float32)
    errors = [((a - b).norm() / b.norm()).item() for a, b in zip(differentiate(copy.deepcopy(model).bfloat16(), torch.bfloat16), (distance, gradient))]
    common.save("lpips_case", {"images": images, "targets": targets, "distance": distance, "gradient": gradient}, {"bf16_errors": errors})
