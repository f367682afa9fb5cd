"""Parts of a model measured: output and gradients in fp32, their own error against fp64, and their error in bf16."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from .. import common


@dataclass
class Part:
    """One function of the model, run(model, *inputs), and by what it is differentiated: the name of an input, or a function
    of the model that gives one of its weights."""

    name: str
    inputs: dict
    run: Callable
    by: dict[str, str | Callable] = field(default_factory=dict)
    in_bf16: bool = True


def relative_error(found, expected, rows):
    """|found - expected| / |expected|, the median over the rows."""
    found, expected = (tensor.double().reshape(rows, -1) for tensor in (found, expected))
    return ((found - expected).norm(dim=1) / expected.norm(dim=1)).quantile(0.5).item()


def evaluate(part, model, dtype, cotangent):
    """Output and gradients by name, in the precision `dtype` of the model, and the cotangent."""
    inputs = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in part.inputs.items()}
    leaves = [inputs[by] if isinstance(by, str) else by(model) for by in part.by.values()]
    for leaf in leaves:
        leaf.requires_grad_(True)
    with torch.set_grad_enabled(len(leaves) > 0):
        output = part.run(model, *inputs.values())
    cotangent = torch.randn(output.shape) if cotangent is None else cotangent
    gradients = torch.autograd.grad(output, leaves, cotangent.to(dtype)) if leaves else []
    for leaf in leaves:
        leaf.requires_grad_(False)
    return {"output": output.detach(), **dict(zip(part.by, gradients))}, cotangent


def measure(model, parts):
    """The tensors of the case, and what is known of each value: errors of the reference itself, seconds."""
    model.eval().requires_grad_(False)
    tensors, facts = {}, {}
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        if dtype == torch.bfloat16:
            model.float()  # and no further rounding on the way
        model.to(dtype)
        for part in parts:
            if dtype == torch.bfloat16 and not part.in_bf16:
                continue
            start = time.perf_counter()
            values, cotangent = evaluate(part, model, dtype, tensors.get(f"{part.name}.cotangent"))
            known = facts.setdefault(part.name, {"seconds": time.perf_counter() - start, "values": {name: {} for name in values}})["values"]
            if dtype == torch.float32:
                tensors |= {f"{part.name}.{name}": tensor.clone() for name, tensor in {**part.inputs, "cotangent": cotangent}.items()}
            rows = len(part.inputs["x"]) if "x" in part.inputs else 1  # images, if it takes any
            for name, value in values.items():
                key = f"{part.name}.{name}"
                if dtype == torch.float32:
                    tensors[key] = value
                elif dtype == torch.float64:
                    tensors[f"{key}.fp64"] = value
                    known[name]["fp32"] = relative_error(tensors[key], value, rows)
                else:
                    known[name]["bf16"] = relative_error(value, tensors[key], rows)
    return tensors, facts


def randomise(model, gain=1.0):
    """Weights that keep the scale of what they map; nothing is at a value that would hide a mistake."""
    for name, parameter in model.named_parameters():
        last = name.removesuffix(".weight").rsplit(".", 1)[-1]
        if last == "logit_scale":
            continue
        if last == "gamma":
            torch.nn.init.uniform_(parameter, 0.25, 0.75)  # layer scale starts near 0, which would hide the blocks
        elif parameter.dim() > 1 and not any(word in last for word in ("token", "pos_embed", "position", "class_embedding")):
            torch.nn.init.normal_(parameter, 0.0, gain * parameter[0].numel() ** -0.5)
        else:
            torch.nn.init.normal_(parameter, 0.0, 0.2)
    common.randomise_norms(model)
    return model


def calibrate(model, images):
    """Lets the statistics of batch norm nearly fit `images`, so that the output depends on the input and no channel that
    hardly varies amplifies rounding."""
    batch_norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in batch_norms:
        module.momentum = 0.98
    if batch_norms:
        with torch.no_grad():
            model.train()(images)
