"""timm's MobileNetV3."""

import torch
from timm.models.mobilenetv3 import _gen_mobilenet_v3

from .common import randomise_norms, save_model


def randomise(model):
    """Batch norm gets statistics that nearly fit the weights: logits then depend on the image, and a channel that hardly
    varies does not amplify rounding. Biases start at zero, which would hide a swapped one."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, 0.0, parameter[0].numel() ** -0.5)
        else:
            torch.nn.init.normal_(parameter, 0.0, 0.2)
    randomise_norms(model)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.98
    with torch.no_grad():
        model.train()(torch.randn(8, 3, 64, 64))


def make():
    for seed, (variant, width) in enumerate([("large", 0.06), ("small", 0.1)]):
        torch.manual_seed(30 + seed)
        model = _gen_mobilenet_v3(f"mobilenetv3_{variant}_100", width, num_classes=5)
        randomise(model)
        config = dict(variant=variant, width=width, num_classes=5)
        save_model(f"mobilenet_v3_{variant}", model, config, torch.randn(2, 3, 40, 40))
