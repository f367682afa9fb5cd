"""Makes one reference at full size with random weights, for test/parity/full-size/.

    python test/parity/full_size.py description.json | --versions

The description is an entry of test/parity/full-size/architectures.ts with `folder`, into which weights (under the reference's
own names), inputs, outputs and gradients are written, and `threads`. The last line printed is JSON: what is known of each
value, and the number of parameters; or, if asked for, the versions of the references.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

MODULES = {"classifier": "classifiers", "clip": "clip", "text": "clip", "unet": "unets", "autoencoder": "autoencoders"}


def main():
    from reference.pinned import PINNED, found, problem

    if problem():
        sys.exit(problem())
    if sys.argv[1] == "--versions":
        return print(json.dumps({package: found(package) for package in PINNED}))
    description = json.loads(Path(sys.argv[1]).read_text())

    import torch
    from reference import common  # noqa: F401, first: it prepares the environment
    from reference.full_size.measure import measure
    from safetensors.torch import save_file

    torch.set_num_threads(description["threads"])
    torch.manual_seed(description["seed"])
    folder = Path(description["folder"])
    model, parts = import_module(f"reference.full_size.{MODULES[description['kind']]}").build(description, folder)
    tensors, facts = measure(model, parts)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "case.safetensors")
    print(json.dumps({"parts": facts, "parameters": sum(parameter.numel() for parameter in model.parameters())}))


if __name__ == "__main__":
    main()
