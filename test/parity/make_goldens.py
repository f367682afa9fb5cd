"""Makes test/parity/goldens/ with the reference implementations: diffusers, timm, transformers, open_clip, torch.optim.

    python -m venv goldens-env && goldens-env/bin/pip install torch==2.13.0 safetensors==0.8.0 numpy==2.4.6
    goldens-env/bin/pip install --no-deps torchvision==0.28.0 timm==1.0.31 diffusers==0.42.1 transformers==5.24.0 \
        open_clip_torch==3.3.0
    goldens-env/bin/pip install pillow huggingface_hub pyyaml requests filelock regex packaging importlib_metadata tqdm \
        tokenizers ftfy
    PYTHONHASHSEED=0 goldens-env/bin/python test/parity/make_goldens.py [--output folder] [module of test/parity/reference ...]

Everything is fp32, seeded and computed on the CPU with one thread. What a file was made with is JSON under the metadata
key "config" (a single key, so that the bytes are reproducible). `<name>.safetensors` is a model's state_dict and nothing
else; `<name>_case.safetensors` holds its inputs, its output y, and dx, the gradient of sum(y * cotangent). CLIP has whole
model folders, and a list of texts with their token ids; TorchScript has files of its own.
"""

import argparse
from importlib import import_module
from pathlib import Path

REFERENCES = Path(__file__).parent / "reference"


def main():
    from reference import common  # checks the pinned versions, before anything else is imported

    common.torch.set_num_threads(1)
    modules = sorted(path.stem for path in REFERENCES.glob("*.py") if path.stem not in ("__init__", "common", "autoencoders"))
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
