"""timm's EfficientNet."""

import torch
from timm.models.efficientnet import _gen_efficientnet

from .common import save_model
from .mobilenet_v3 import randomise


def make():
    torch.manual_seed(40)
    config = dict(width=0.12, depth=0.5, num_classes=5)
    model = _gen_efficientnet("efficientnet_b0", config["width"], config["depth"], num_classes=5)
    randomise(model)
    save_model("efficientnet", model, config, torch.randn(2, 3, 40, 40))
