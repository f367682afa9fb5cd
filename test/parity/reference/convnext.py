"""timm's ConvNeXt."""

import torch
from timm.models.convnext import ConvNeXt

from .common import randomise_norms, save_model


def make():
    torch.manual_seed(20)
    config = dict(depths=(1, 1, 2, 1), dims=(8, 16, 24, 40), num_classes=5)
    model = ConvNeXt(**config)
    for name, parameter in model.named_parameters():
        if name.endswith("gamma"):
            torch.nn.init.uniform_(parameter, 0.25, 0.75)  # starts at 1e-6, which would hide the blocks
        elif parameter.dim() > 1:
            torch.nn.init.normal_(parameter, 0.0, parameter[0].numel() ** -0.5)
        else:
            torch.nn.init.normal_(parameter, 0.0, 0.2)  # biases start at zero, which would hide a swapped one
    randomise_norms(model)
    save_model("convnext", model, config, torch.randn(2, 3, 48, 48))
