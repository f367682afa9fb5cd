"""The rival: the same operation in PyTorch eager, as a good user would write it. One measurement in its own process.

    python eager.py check|time '<job as JSON>'

check writes the result of the operation to job["output"] (fp32); time prints {"msPerImage", "peakMemoryMb", "cpuMs", "version"}.
Frozen networks are converted to bf16 once (batch norm statistics stay fp32) and need no gradients of their own; the
student trains under autocast with fp32 weights. The counterpart is ours.mjs, which also writes the weights and inputs.
"""

import json
import math
import resource
import statistics
import struct
import sys
import time
from array import array
from pathlib import Path

import torch
import torch.nn.functional as F
from eager_models import Classifier, UNet
from eager_vqgan import VQGAN

verb, job = sys.argv[1], json.loads(sys.argv[2])
trial, folder = job["trial"], Path(job["directory"])
dtype = torch.bfloat16 if job["precision"] == "bf16" else torch.float32
layout = torch.channels_last if job["channelsLast"] else torch.contiguous_format
torch.set_num_threads(job["threads"])
device = torch.device(job["device"])
# fp32 is fp32 on both sides; shapes never change, so cuDNN may look for its fastest kernels.
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True


# ---- weights and inputs ----

def read_safetensors(path):
    """Name -> fp32 or int64 tensor. Eight bytes of header length, a JSON header, then the data."""
    content = bytearray(path.read_bytes())
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    types = {"F32": torch.float32, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        data = content[start + begin : start + end]
        tensors[name] = torch.frombuffer(data, dtype=types[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def load(role):
    spec = trial["models"][role]
    model = {"denoiser": UNet, "discretiser": VQGAN}.get(role, Classifier)(spec)
    getattr(model, "net", model).load_state_dict(read_safetensors(folder / f"{role}.safetensors"))
    return model.to(device, memory_format=layout)


def freeze(model):
    model.eval().requires_grad_(False)
    getattr(model, "net", model).to(dtype)  # the normalisation of the pixels stays fp32
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.float()
    return model


def from_file(name, dtype, shape):
    return torch.frombuffer(bytearray((folder / name).read_bytes()), dtype=dtype).reshape(shape)


def read_noise():
    noise = from_file("noise.f32", torch.float32, (batch, 3, size, size))
    return noise.to(device).contiguous(memory_format=layout)


classifier = trial["models"].get("student", trial["models"]["teacher"])
batch, size = trial["batch"], classifier["imageSize"]
labels = (torch.arange(batch) % classifier["numClasses"]).to(device)


# ---- diffusion and guidance ----

def cosine_alpha_bars(count=1000):
    alpha_bar = lambda t: math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    product, result = 1.0, []
    for i in range(count):
        product *= 1 - min(1 - alpha_bar((i + 1) / count) / alpha_bar(i / count), 0.999)
        result.append(product)
    return result


ALPHA_BARS = cosine_alpha_bars()


def predict(unet, x, timestep):
    """x0, clamped, and epsilon of a v-prediction."""
    timesteps = torch.full((len(x),), float(timestep), device=device)
    v = unet(x.to(dtype).contiguous(memory_format=layout), timesteps, labels).float()
    alpha, sigma = math.sqrt(ALPHA_BARS[timestep]), math.sqrt(1 - ALPHA_BARS[timestep])
    return (alpha * x - sigma * v).clamp(-1, 1), sigma * x + alpha * v


def disagreement(teacher, student, images):
    """Probability of the class under the teacher minus that under the student, summed over the batch."""
    pixels = (images + 1) / 2
    probability = lambda model: model(pixels).softmax(1).gather(1, labels[:, None])
    return (probability(teacher) - probability(student)).sum()


# ---- the operations: each returns a function, number of runs -> the numbers to compare ----

def guidedStep():
    unet, teacher, student = (freeze(load(role)) for role in ("denoiser", "teacher", "student"))
    noise = read_noise()

    def run(repeat):
        for _ in range(repeat):
            x = noise.detach().requires_grad_(True)
            x0, _ = predict(unet, x, trial["timestep"])
            (gradient,) = torch.autograd.grad(disagreement(teacher, student, x0), x)
        return gradient

    return run


def chain():
    unet, teacher, student = (freeze(load(role)) for role in ("denoiser", "teacher", "student"))
    noise = read_noise()
    stride = len(ALPHA_BARS) // trial["steps"]

    def run(repeat):
        for _ in range(repeat):
            z = x = noise.detach().requires_grad_(True)
            for timestep in range(len(ALPHA_BARS) - 1, -1, -stride):
                x0, epsilon = predict(unet, x, timestep)
                following = ALPHA_BARS[timestep - stride] if timestep >= stride else 1.0
                x = math.sqrt(following) * x0 + math.sqrt(1 - following) * epsilon
            (gradient,) = torch.autograd.grad(disagreement(teacher, student, x), z)
        return gradient

    return run


def studentStep():
    teacher, student = freeze(load("teacher")), load("student").train()
    images = from_file("images.u8", torch.uint8, (batch, size, size, 3)).permute(0, 3, 1, 2)
    images = images.contiguous(memory_format=layout)
    parameters = list(student.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.999), weight_decay=0.01, fused=True)

    def step():
        pixels = images.to(device).float() / 255
        with torch.no_grad():
            target = teacher(pixels).softmax(1)
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            logits = student(pixels)
        loss = F.cross_entropy(logits, target)
        loss.backward()
        norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters])
        optimizer.step()
        optimizer.zero_grad()
        return loss.item(), norm.item()

    return lambda repeat: torch.tensor([step() for _ in range(repeat)])


def discreteAdversary():
    teacher, vqgan = freeze(load("teacher")), freeze(load("discretiser"))
    images = from_file("images.u8", torch.uint8, (batch, size, size, 3)).permute(0, 3, 1, 2)
    length = trial["epsilon"] * size / 224
    lengths = lambda change: change.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp_min(1e-20)

    def run(repeat):
        for _ in range(repeat):
            pixels = images.to(device).contiguous(memory_format=layout).float() / 255
            with torch.no_grad():
                reconstruction = vqgan.discretise(pixels)
            z = reconstruction.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(F.cross_entropy(teacher(z), labels, reduction="sum"), z)
            with torch.no_grad():
                change = length * gradient / lengths(gradient)
                change = change * (length / lengths(change)).clamp_max(1)
                found = (vqgan.discretise((reconstruction + change).clamp(0, 1)) * 255).round().to(torch.uint8)
                probabilities = teacher(found.float() / 255).softmax(1).cpu()
        return found.float(), probabilities

    return lambda repeat: run(repeat)[0]


# ---- the two verbs ----

def timed(run, milliseconds, fewest):
    times, start = [], time.perf_counter()
    while len(times) < fewest or (time.perf_counter() - start) * 1000 < milliseconds:
        before = time.perf_counter()
        run(trial["repeat"])
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append((time.perf_counter() - before) * 1000 / (batch * trial["repeat"]))
    return times


run = {"guidedStep": guidedStep, "chain": chain, "studentStep": studentStep, "discreteAdversary": discreteAdversary}[trial["operation"]]()
if verb == "check":
    values = run(trial["check"]["runs"]).flatten().tolist()  # in NCHW order whatever the layout
    Path(job["output"]).write_bytes(array("f", values).tobytes())
else:
    timed(run, job["warmupMs"], 2)
    times = timed(run, job["measureMs"], 3)
    print(json.dumps({
        "msPerImage": statistics.median(times),
        "peakMemoryMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cpuMs": time.process_time() * 1000,
        "version": torch.__version__,
    }))
