"""What every golden file shares: the environment, seeded weights, how a model and its case are saved."""

import copy
import json
import sys
from pathlib import Path

from .pinned import problem

if problem():
    sys.exit(problem())

import torch
from safetensors.torch import save_file

# The torchvision wheel of the package index is built for CUDA, and its operators do not load beside a CPU torch.
# timm imports torchvision and uses none of them, but their names must exist.
if "+cpu" in torch.__version__:
    torchvision_operators = torch.library.Library("torchvision", "DEF")
    torchvision_operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torchvision_operators.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

FOLDER = Path(__file__).parent.parent / "goldens"


def save(name, tensors, config):
    tensors = {key: value.detach().contiguous() for key, value in tensors.items()}
    save_file(tensors, FOLDER / f"{name}.safetensors", metadata={"config": json.dumps(config, sort_keys=True)})


def randomise_norms(model):
    """Norm layers start as the identity, which would hide a swapped weight, bias or statistic."""
    for module in model.modules():
        if isinstance(module, (torch.nn.GroupNorm, torch.nn.LayerNorm, torch.nn.BatchNorm2d)):
            torch.nn.init.normal_(module.weight, 1.0, 0.2)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            module.num_batches_tracked.fill_(7)


def save_model(name, model, config, x, **inputs):
    """Saves the weights of `model`, and the case model(x, **inputs)."""
    save(name, model.state_dict(), config)
    save_case(f"{name}_case", model, config, x, **inputs)


def save_case(name, model, config, x, **inputs):
    model.eval()
    x.requires_grad_(True)
    y = model(x, **inputs)
    y = y.sample if hasattr(y, "sample") else y
    cotangent = torch.randn_like(y)
    (dx,) = torch.autograd.grad((y * cotangent).sum(), x)
    save(name, {"x": x, **inputs, "y": y, "cotangent": cotangent, "dx": dx}, config)


def bf16_errors(model, x):
    """How far off the reference is when it computes in bf16: relative errors of its output and of the gradient."""
    model.eval()
    x = x.detach().requires_grad_(True)

    def gradients(model, dtype):
        y = model(x.to(dtype))
        cotangent = torch.linspace(-1, 1, y.numel()).view_as(y).to(dtype)
        return y, torch.autograd.grad((y * cotangent).sum(), x)[0]

    found, expected = gradients(copy.deepcopy(model).bfloat16(), torch.bfloat16), gradients(model, torch.float32)
    errors = [((a.float() - b).norm() / b.norm()).item() for a, b in zip(found, expected)]
    return dict(zip(("logits", "gradient"), errors))
