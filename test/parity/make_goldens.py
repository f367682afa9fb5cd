"""Makes test/parity/goldens/ with the reference implementations: diffusers, timm, transformers, open_clip, lpips, torch.optim.

    PYTHONHASHSEED=0 python test/parity/make_goldens.py [--output folder] [module of test/parity/reference ...]

Everything is fp32, seeded and computed on the CPU with one thread. What a file was made with is JSON under the metadata
key "config" (a single key, so that the bytes are reproducible). `<name>.safetensors` is a model's state_dict and nothing
else; `<name>_case.safetensors` holds its inputs, its output y, and dx, the gradient of sum(y * cotangent). CLIP has whole
model folders, and a list of texts with their token ids; TorchScript has files of its own.

The environment is that of reference/pinned.py; where it does not fit, the commands that make it are printed.
"""

import argparse
from importlib import import_module
from pathlib import Path

REFERENCES = Path(__file__).parent / "reference"


def main():
    from reference import common  # checks the environment, before anything else is imported

    common.torch.set_num_threads(1)
    modules = sorted(path.stem for path in REFERENCES.glob("*.py") if path.stem not in ("__init__", "pinned", "common", "autoencoders"))
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=common.FOLDER)
    parser.add_argument("modules", nargs="*", choices=[[], *modules])
    arguments = parser.parse_args()
    common.FOLDER = arguments.output
    common.FOLDER.mkdir(parents=True, exist_ok=True)
    for name in arguments.modules or modules:
        import_module(f"reference.{name}").make()
    for path in sorted(common.FOLDER.glob("*.safetensors")):
        print(f"{path.stat().st_size:8d}  {path.name}")


if __name__ == "__main__":
    main()
