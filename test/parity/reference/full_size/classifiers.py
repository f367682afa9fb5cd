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


def keep_from_kinks(model):
    """Leaves each channel of a ResNet on or off at nearly every ReLU: at four deviations from zero. Rounding that moves the
    input of a ReLU across zero changes the gradient by a lump, and of the millions of inputs a few are always that near."""

    def sign(norm):
        return torch.randint(0, 2, norm.bias.shape) * 2.0 - 1

    def magnitude(norm):
        return torch.empty_like(norm.bias).uniform_(0.8, 1.2)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight *= 0.25
                module.bias.copy_(sign(module) * magnitude(module))
        passed = model.bn1.bias.sign()  # by channel, what passes the ReLU behind each sum of branch and shortcut
        for block in (module for module in model.modules() if isinstance(module, (BasicBlock, Bottleneck))):
            last = block.bn2 if isinstance(block, BasicBlock) else block.bn3
            if block.downsample is None:
                last.bias[passed > 0] *= 0.1
                last.weight *= 0.5
                last.bias.copy_(torch.where(passed > 0, last.bias, -last.bias.abs()))
            else:
                shortcut = block.downsample[-1]
                passed = shortcut.bias.sign()
                last.bias.copy_(passed * last.bias.abs())


def build(description, folder):
    reference, classes, size = (description[key] for key in ("reference", "classes", "size"))
    if "cifarResnet" in reference:
        model = cifar_resnet(reference["cifarResnet"], classes)
    else:
        model = timm.create_model(reference["timm"], pretrained=False, num_classes=classes, **reference.get("options", {}))
    randomise(model)
    if isinstance(model, ResNet):
        keep_from_kinks(model)
    calibrate(model, torch.randn(8, 3, size, size))
    save_file(model.state_dict(), folder / "weights.safetensors")
    return model, [Part("logits", {"x": torch.randn(description["batch"], 3, size, size)}, lambda model, x: model(x), {"gradient": "x"})]
