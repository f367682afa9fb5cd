"""torch.optim, and the schedule of the learning rate of diffusers."""

import torch
from diffusers.optimization import get_cosine_schedule_with_warmup

from .common import save


def make():
    """Ten steps on 0.5 sum(curvature (w - target)^2); `<name>.path` is w before the first and after each step."""
    torch.manual_seed(30)
    curvature, target, start = torch.rand(12) * 3 + 0.1, torch.randn(12), torch.randn(12)
    cases = {
        "adamw": (torch.optim.AdamW, dict(lr=0.05, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1), None),
        "adamw_clipped": (torch.optim.AdamW, dict(lr=0.05, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.01), 1.0),
        "sgd": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=0.01), None),
        "sgd_nesterov": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=0.01, nesterov=True), None),
    }
    tensors, config = {"curvature": curvature, "target": target, "start": start}, {}
    for name, (optimiser_class, options, max_norm) in cases.items():
        w = start.clone().requires_grad_(True)
        optimiser = optimiser_class([w], **options)
        path = [start]
        for _ in range(10):
            optimiser.zero_grad()
            (0.5 * curvature * (w - target) ** 2).sum().backward()
            if max_norm is not None:
                torch.nn.utils.clip_grad_norm_([w], max_norm)
            optimiser.step()
            path.append(w.detach().clone())
        tensors[f"{name}.path"] = torch.stack(path)  # [11, 12]
        config[name] = {**options, "max_norm": max_norm}

    schedule = dict(num_warmup_steps=10, num_training_steps=100)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = get_cosine_schedule_with_warmup(optimiser, **schedule)
    factors = []
    for _ in range(100):
        factors.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    tensors["warmup_cosine"] = torch.tensor(factors, dtype=torch.float64)  # factor of the learning rate at each step
    save("optimisers", tensors, {**config, "warmup_cosine": schedule})
