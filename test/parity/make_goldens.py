"""Makes test/parity/goldens/*.safetensors with the reference implementations: diffusers, timm and torch.optim.

    python -m venv goldens-env && goldens-env/bin/pip install torch==2.13.0 torchvision==0.28.0 diffusers==0.42.1 \
        timm==1.0.31 safetensors==0.8.0 numpy==2.4.6
    goldens-env/bin/python test/parity/make_goldens.py [output folder]

Everything is fp32, seeded and computed on the CPU with one thread. What a file was made with is JSON under the metadata
key "config" (a single key, so that the bytes are reproducible). `<name>.safetensors` is a model's state_dict and nothing
else; `<name>_case.safetensors` holds its inputs, its output y, and dx, the gradient of sum(y * cotangent).
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

PINNED = {"torch": "2.13.0", "diffusers": "0.42.1", "timm": "1.0.31", "safetensors": "0.8.0", "numpy": "2.4.6"}
for package, expected in PINNED.items():
    if version(package).split("+")[0] != expected:
        sys.exit(f"make_goldens.py: expected {package} {expected}, found {version(package)}")

# The torchvision wheel of the package index is built for CUDA, and its operators do not load beside a CPU torch.
# timm imports torchvision and uses none of them, but their names must exist.
if "+cpu" in torch.__version__:
    torchvision_operators = torch.library.Library("torchvision", "DEF")
    torchvision_operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torchvision_operators.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from diffusers import DDIMScheduler, UNet2DModel  # noqa: E402
from diffusers.optimization import get_cosine_schedule_with_warmup  # noqa: E402
from timm.models.resnet import BasicBlock, Bottleneck, ResNet  # noqa: E402

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "goldens")


def save(name, tensors, config):
    tensors = {key: value.detach().contiguous() for key, value in tensors.items()}
    save_file(tensors, FOLDER / f"{name}.safetensors", metadata={"config": json.dumps(config, sort_keys=True)})


def randomise_norms(model):
    """Norm layers start as the identity, which would hide a swapped weight, bias or statistic."""
    for module in model.modules():
        if isinstance(module, (torch.nn.GroupNorm, torch.nn.BatchNorm2d)):
            torch.nn.init.normal_(module.weight, 1.0, 0.2)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            module.num_batches_tracked.fill_(7)


def save_model(name, model, config, x, **inputs):
    """Saves the weights of `model`, and the case model(x, **inputs)."""
    model.eval()
    x.requires_grad_(True)
    y = model(x, **inputs)
    y = y.sample if hasattr(y, "sample") else y
    cotangent = torch.randn_like(y)
    (dx,) = torch.autograd.grad((y * cotangent).sum(), x)
    save(name, model.state_dict(), config)
    save(f"{name}_case", {"x": x, **inputs, "y": y, "cotangent": cotangent, "dx": dx}, config)


def unet():
    torch.manual_seed(1)
    config = dict(
        sample_size=16, in_channels=3, out_channels=3, block_out_channels=(16, 32, 32), layers_per_block=1,
        norm_num_groups=8, attention_head_dim=8, num_class_embeds=3,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    )
    model = UNet2DModel(**config)
    randomise_norms(model)
    save_model("unet", model, config, torch.randn(3, 3, 16, 16),
               timestep=torch.tensor([0, 421, 999]), class_labels=torch.tensor([0, 2, 1]))


def resnets():
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


def ddim():
    """Trajectories of a model that any language can write down: v = 0.3 x + 0.1 sin(t / 100)."""
    torch.manual_seed(20)
    start = torch.randn(2, 3, 4, 4)
    shared = dict(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
                  set_alpha_to_one=True)
    tensors = {"start": start}
    for spacing in ("trailing", "leading"):
        for clip in (True, False):
            for steps in (10, 20):
                scheduler = DDIMScheduler(**shared, clip_sample=clip, timestep_spacing=spacing)
                scheduler.set_timesteps(steps)
                x, trajectory = start, [start]
                for t in scheduler.timesteps:
                    x = scheduler.step(0.3 * x + 0.1 * torch.sin(t / 100.0), t, x, eta=0.0).prev_sample
                    trajectory.append(x)
                key = f"{spacing}.{'clip' if clip else 'free'}.{steps}"
                tensors[f"{key}.timesteps"] = scheduler.timesteps
                tensors[f"{key}.trajectory"] = torch.stack(trajectory)  # [steps + 1, 2, 3, 4, 4]
    tensors["alphas_cumprod"] = scheduler.alphas_cumprod
    save("ddim", tensors, {**shared, "clip_sample_range": 1.0, "eta": 0.0, "model": "v = 0.3 x + 0.1 sin(t / 100)"})


def optimisers():
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


if __name__ == "__main__":
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    unet()
    resnets()
    ddim()
    optimisers()
    for path in sorted(FOLDER.glob("*.safetensors")):
        print(f"{path.stat().st_size:8d}  {path.name}")
