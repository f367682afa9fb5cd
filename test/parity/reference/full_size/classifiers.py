"""Classifiers of timm; its ResNets have the key names of torchvision too."""

import timm
import torch
from safetensors.torch import save_file
from timm.models.resnet import BasicBlock, Bottleneck, ResNet

from .measure import Part, calibrate, randomise


def cifar_resnet(blocks, classes):
    """The ResNet for CIFAR of He et al. 2016, section 4.2: three stages from 16 channels, no pooling after the stem."""
    model = ResNet(BasicBlock, (blocks,) * 3, channels=(16, 32, 64), num_classes=classes, stem_type="deep", stem_width=8, zero_init_last=False)
    model.conv1 = torch.nn.Conv2d(3, 16, 3, padding=1, bias=False)
    model.maxpool = torch.nn.Identity()
    model.layer4 = torch.nn.Identity()  # timm's forward has four stages
    return model


def scale_branches(model):
    """The branches of a trained ResNet add little to what passes them by. At full weight, a hundred random layers of ReLUs
    are chaotic: in bf16 the reference would be as far from itself as from any other network."""
    for module in model.modules():
        if isinstance(module, BasicBlock):
            module.bn2.weight.data *= 0.25
        elif isinstance(module, Bottleneck):
            module.bn3.weight.data *= 0.25


def build(description, folder):
    reference, classes, size = (description[key] for key in ("reference", "classes", "size"))
    if "cifarResnet" in reference:
        model = cifar_resnet(reference["cifarResnet"], classes)
    else:
        model = timm.create_model(reference["timm"], pretrained=False, num_classes=classes, **reference.get("options", {}))
    randomise(model)
    scale_branches(model)
    calibrate(model, torch.randn(8, 3, size, size))
    save_file(model.state_dict(), folder / "weights.safetensors")
    return model, [Part("logits", {"x": torch.randn(description["batch"], 3, size, size)}, lambda model, x: model(x), {"gradient": "x"})]
