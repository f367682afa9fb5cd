"""The rivals in PyTorch: the same operation, eager or by torch.compile. One measurement in its own process.

    python pytorch.py '<job as JSON>'

Verbs come as lines on standard input, each is answered with a line of JSON:

    check  writes the result of the operation to job["output"] (fp32): {"firstRunMs"}, which has the compilation in it
    warm   {}
    time   {"msPerImage", "peakMemoryMb", "gpuMemoryMb", "cpuMs", "version"}
    count  {"gflopsPerImage"} of the convolutions and matrix products of one run
    export writes the network of the operation to job["network"] (ONNX): {}

The operations are in pytorch_operations.py and pytorch_files.py; the counterpart is ours.mjs.
"""

import ctypes
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pytorch_job import batch, gpu_memory, gpu_memory_before, job, trial

fewest = trial.get("fewest", {"warmup": 2, "measured": 3})


def timed(run, milliseconds, fewest):
    times, start = [], time.perf_counter()
    while len(times) < fewest or (time.perf_counter() - start) * 1000 < milliseconds:
        before = time.perf_counter()
        run(trial["repeat"]).cpu()  # waits for the GPU; our side gives its results to the processor too
        times.append((time.perf_counter() - before) * 1000 / (batch * trial["repeat"]))
    return times


def check(run):
    start = time.perf_counter()
    values = getattr(run, "result", run)(trial["check"]["runs"]).cpu().float().contiguous()  # in NCHW order whatever the layout
    Path(job["output"]).write_bytes(ctypes.string_at(values.data_ptr(), values.nbytes))
    return {"firstRunMs": (time.perf_counter() - start) * 1000}


def warm(run):
    timed(run, job["warmupMs"], fewest["warmup"])
    return {}


def processor_seconds():
    """Of this process and of those that read for it."""
    workers = 0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        workers += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user, system
    return time.process_time() + workers


def measure(run):
    before = processor_seconds()
    times = timed(run, job["measureMs"], fewest["measured"])
    return {
        "msPerImage": statistics.median(times),
        "peakMemoryMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "gpuMemoryMb": gpu_memory() - gpu_memory_before,
        "cpuMs": (processor_seconds() - before) * 1000,
        "version": torch.__version__,
    }


class Counter(TorchDispatchMode):
    """Adds up PyTorch's formulas. Its own FlopCounterMode also says in which module, which autograd.grad does not bear."""

    flops = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        formula = flop_registry.get(function._overloadpacket)
        if formula is None:
            with self:
                parts = function.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = function(*args, **kwargs)
        if formula:
            self.flops += formula(*args, **kwargs, out_val=result)
        return result


def count(run):
    # Attention as plain products: there is no formula for the fused kernel of the CPU.
    with Counter() as counter, sdpa_kernel(SDPBackend.MATH):
        run(1)
    return {"gflopsPerImage": counter.flops / batch / 1e9}


def export(run):
    class Network(torch.nn.Module):
        def forward(self, *inputs):
            return run.network(*inputs)

    inputs = ["x", "timesteps"][: len(run.example)]
    with torch.inference_mode():
        torch.onnx.export(Network(), run.example, job["network"], input_names=inputs, output_names=["y"], opset_version=18, dynamo=False)
    return {}


if trial["operation"] in ("readJpegs", "loadWeights", "emptyCall"):
    from pytorch_files import operations
else:
    from pytorch_operations import operations
run = operations[trial["operation"]]()
verbs = {"check": check, "warm": warm, "time": measure, "count": count, "export": export}
for line in sys.stdin:
    print(json.dumps(verbs[line.strip()](run)), flush=True)
