"""Image classifiers in model folders of transformers, as save_pretrained writes them. (Those of timm hold the weights that
the other modules save, beside a config.json that the test writes.)"""

import json

import torch
from transformers import (
    ConvNextConfig, ConvNextForImageClassification, DeiTConfig, DeiTForImageClassificationWithTeacher, Dinov2Config, Dinov2ForImageClassification,
    ResNetConfig, ResNetForImageClassification, ViTConfig, ViTForImageClassification,
)

from . import common
from .common import randomise_norms, save

SIZE, MEAN, STD = 32, [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
TRANSFORMER = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=SIZE, patch_size=8)
LABELS = dict(id2label={0: "land bird", 1: "water bird", 2: "fish"}, label2id={"land bird": 0, "water bird": 1, "fish": 2})
MODELS = {
    "vit": (ViTForImageClassification, ViTConfig(**TRANSFORMER, intermediate_size=24, **LABELS)),
    "deit": (DeiTForImageClassificationWithTeacher, DeiTConfig(**TRANSFORMER, intermediate_size=24, **LABELS)),
    "dinov2": (Dinov2ForImageClassification, Dinov2Config(**TRANSFORMER, mlp_ratio=2, layerscale_value=0.5, **LABELS)),
    "convnext": (ConvNextForImageClassification, ConvNextConfig(hidden_sizes=[8, 12], depths=[1, 2], num_stages=2, layer_scale_init_value=0.5, **LABELS)),
    "resnet_basic": (ResNetForImageClassification, ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 32], depths=[1, 2, 1], layer_type="basic", **LABELS)),
    "resnet_bottleneck": (ResNetForImageClassification, ResNetConfig(embedding_size=8, hidden_sizes=[32, 64], depths=[2, 1], **LABELS)),
}


def make():
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    for seed, (name, (kind, config)) in enumerate(MODELS.items()):
        torch.manual_seed(80 + seed)
        model = kind(config)
        for parameter in model.parameters():
            if parameter.dim() < 2:
                torch.nn.init.normal_(parameter, 0.0, 0.2)
        for parameter in model.parameters():
            if "resnet" not in name and parameter.dim() > 1:
                torch.nn.init.normal_(parameter, 0.0, 0.2)
        randomise_norms(model)
        model.eval()
        folder = common.FOLDER / f"folder_{name}"
        model.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": STD, "size": {"shortest_edge": SIZE}}) + "\n")
        x = torch.rand(2, 3, SIZE, SIZE, requires_grad=True)
        inputs = (x - mean) / std
        # The head of transformers' DINOv2 is not ours: the class token is compared, before any head.
        y = model.dinov2(inputs).last_hidden_state[:, 0] if name == "dinov2" else model(inputs).logits
        cotangent = torch.randn_like(y)
        (dx,) = torch.autograd.grad((y * cotangent).sum(), x)
        save(f"folder_{name}_case", {"x": x, "y": y, "cotangent": cotangent, "dx": dx}, {})
