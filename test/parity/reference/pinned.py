"""The environment of the references: their pinned versions, and how it is made."""

from importlib.metadata import PackageNotFoundError, version

PINNED = {"torch": "2.13.0", "torchvision": "0.28.0", "diffusers": "0.42.1", "timm": "1.0.31", "transformers": "5.24.0", "open_clip_torch": "3.3.0",
          "lpips": "0.1.4", "safetensors": "0.8.0", "numpy": "2.4.6"}
WITHOUT_DEPENDENCIES = ("torchvision", "timm", "diffusers", "transformers", "open_clip_torch", "lpips")
OTHERS = "pillow==13.0.0 huggingface_hub pyyaml requests filelock regex packaging importlib_metadata tqdm tokenizers ftfy scipy"


def found(package):
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return None


def problem():
    """What of this environment does not fit, and the commands that make one that does; None if all fits."""
    wrong = [f"{package} {expected}, found {found(package) or 'none'}" for package, expected in PINNED.items() if found(package) != expected]
    if not wrong:
        return None
    first, second = ([f"{package}=={expected}" for package, expected in PINNED.items() if (package in WITHOUT_DEPENDENCIES) == late] for late in (False, True))
    commands = ["python -m venv goldens-env", *(f"goldens-env/bin/pip install {what}" for what in (" ".join(first), "--no-deps " + " ".join(second), OTHERS))]
    return "The references need " + "; ".join(wrong) + ".\nAn environment that has them:\n" + "\n".join(f"    {command}" for command in commands)
