"""timm's ResNet."""

import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet

from .common import randomise_norms, save_model


def make():
    for seed, (name, block, layers, channels, cifar_stem) in enumerate([
        ("resnet_basic", BasicBlock, (2, 1, 1, 1), (8, 16, 32, 64), False),
        ("resnet_bottleneck", Bottleneck, (1, 2, 1, 1), (8, 16, 32, 64), False),
        ("resnet_cifar", BasicBlock, (1, 1, 1, 1), (4, 8, 16, 32), True),
    ]):
        torch.manual_seed(10 + seed)
        # timm fixes the width of the plain stem at 64. The deep stem's width is free, and so is then its convolution.
        model = ResNet(block, layers, channels=channels, num_classes=5, stem_type="deep", stem_width=channels[0] // 2,
                       zero_init_last=False)
        if cifar_stem:
            model.conv1 = torch.nn.Conv2d(3, channels[0], 3, stride=1, padding=1, bias=False)
            model.maxpool = torch.nn.Identity()
        else:
            model.conv1 = torch.nn.Conv2d(3, channels[0], 7, stride=2, padding=3, bias=False)
        randomise_norms(model)
        config = dict(block=block.__name__, layers=layers, channels=channels, num_classes=5, cifar_stem=cifar_stem)
        size = 16 if cifar_stem else 48
        save_model(name, model, config, torch.randn(2, 3, size, size))
