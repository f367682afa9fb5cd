"""What a job asks for, and its weights and inputs: the part that all measurements in PyTorch share.

The job is the argument of pytorch.py, as measure.mjs makes it; ours.mjs writes weights and inputs.
"""

import json
import mmap
import os
import struct
import sys
from pathlib import Path

import torch
from eager_autoencoders import VQGAN, KLDecoder
from eager_classifiers import Classifier
from eager_unet import UNet

job = json.loads(sys.argv[1])
trial, folder = job["trial"], Path(job["directory"])
device = torch.device(job["device"])
dtype = torch.bfloat16 if job["precision"] == "bf16" else torch.float32
layout = torch.channels_last if job["channelsLast"] else torch.contiguous_format


def gpu_memory():
    """Megabytes in use on the GPU; the allocator of PyTorch gives nothing back, so at the end of a process it is the peak."""
    if device.type != "cuda":
        return 0
    return float(os.popen(f"nvidia-smi -i {device.index or 0} --query-gpu=memory.used --format=csv,noheader,nounits").read())


gpu_memory_before = gpu_memory()  # before the first use of the GPU

torch.set_num_threads(job["threads"])
# fp32 is fp32 on both sides; shapes never change, so cuDNN may look for its fastest kernels.
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True

classifier = trial["models"].get("student", trial["models"].get("teacher"))
batch, size = trial["batch"], classifier["imageSize"] if classifier else trial["size"]
labels = (torch.arange(batch) % classifier["numClasses"]).to(device) if classifier else None

CUDA_GRAPHS = job.get("compile") == "reduce-overhead" or (job.get("compile") == "max-autotune" and device.type == "cuda")


def compiled(function):
    """As the contender has it: run by torch.compile, or as it is."""
    return torch.compile(function, mode=job["compile"], dynamic=False) if job.get("compile") else function


def next_iteration():
    """CUDA graphs may write over the results of the iteration before."""
    if CUDA_GRAPHS:
        torch.compiler.cudagraph_mark_step_begin()


# ---- weights ----

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def read_safetensors(path):
    """Name -> tensor, mapped. Eight bytes of header length, a JSON header, then the data."""
    with open(path, "rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        type = TYPES[entry["dtype"]]
        tensors[name] = torch.frombuffer(content, dtype=type, count=(end - begin) // type.itemsize, offset=start + begin).reshape(entry["shape"])
    return tensors


def build(role, spec):
    if role == "denoiser":
        return UNet(spec["unet"])
    return KLDecoder(spec) if spec["kind"] == "kl" else VQGAN(spec)


def load(role):
    spec, tensors = trial["models"][role], read_safetensors(job["weights"][role]["path"])
    if role in ("denoiser", "autoencoder", "discretiser"):
        with torch.device("meta"):  # random weights of this size would cost seconds
            model = build(role, spec)
        own = model.state_dict()
        model.to_empty(device="cpu").load_state_dict({name: tensor for name, tensor in tensors.items() if name in own})
    else:
        model = Classifier(spec)
        model.net.load_state_dict(tensors)
    return model.to(device, memory_format=layout)


def freeze(model):
    model.eval().requires_grad_(False)
    getattr(model, "net", model).to(dtype)  # the normalisation of the pixels stays fp32
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.float()
    return model


# ---- inputs ----

def from_file(name, dtype, shape):
    """The first elements of the file: a trial may be run on a part of its batch."""
    count = 1
    for side in shape:
        count *= side
    return torch.frombuffer(bytearray((folder / name).read_bytes()), dtype=dtype, count=count).reshape(shape)


def read_noise():
    denoiser = trial["models"]["denoiser"]
    levels = len(trial["models"]["autoencoder"]["blockChannels"]) - 1 if "autoencoder" in trial["models"] else 0
    side = denoiser["drawSize"] >> levels
    noise = from_file("noise.f32", torch.float32, (batch, denoiser["unet"]["channels"], side, side))
    return noise.to(device).contiguous(memory_format=layout)


def read_text():
    """[B, tokens, textChannels] of the classes of the images, or None."""
    if not job["weights"].get("conditions"):
        return None
    return read_safetensors(job["weights"]["conditions"]["path"])["conditions"].to(device)[labels].to(dtype)


def read_images():
    """[B, 3, size, size] uint8"""
    return from_file("images.u8", torch.uint8, (batch, size, size, 3)).permute(0, 3, 1, 2).contiguous(memory_format=layout)
