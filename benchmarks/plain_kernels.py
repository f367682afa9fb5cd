"""What this machine attains at most: the rate of one large convolution and one large product of matrices, without anything around.

    python plain_kernels.py <device> <threads>    prints {"bf16": TFLOP/s, "fp32": TFLOP/s}, the better of the two each
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

device, threads = torch.device(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = False
batch, side = (64, 8192) if device.type == "cuda" else (4, 2048)


def rate(run, flops):
    """TFLOP/s of the fastest of several tenths of a second."""
    synchronise = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    fastest = float("inf")
    for _ in range(5):
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < 0.1 or count < 2:
            run()
            count += 1
            synchronise()
        fastest = min(fastest, (time.perf_counter() - start) / count)
    return flops / fastest / 1e12


def attained(dtype):
    channels, pixels = 256, 64
    x = torch.randn(batch, channels, pixels, pixels, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    convolution = rate(lambda: F.conv2d(x, weight, padding=1), 2 * batch * pixels**2 * channels**2 * 9)
    return max(convolution, rate(lambda: a @ b, 2 * side**3))


with torch.inference_mode():
    print(json.dumps({name: attained(dtype) for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32))}))
