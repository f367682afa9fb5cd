"""Operations on pictures with Pillow 13.0.0 and timm, and AugMix's consistency loss with PyTorch: views.json and views.bin."""

import json

import numpy as np
import PIL
import torch
import torch.nn.functional as F
from PIL import Image

from . import common  # before timm
from timm.data import auto_augment as timm

GREY, BLACK = 128, 0


def pictures():
    """One of all values and one of few, of odd and even side."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:21, 0:21]
    waves = np.stack([np.sin(x / 3 + y / 7), np.cos(x / 2 - y / 5), np.sin(x * y / 60)], -1)
    yield "waves", (127.5 + 110 * waves + random.normal(0, 12, waves.shape)).round().clip(0, 255).astype(np.uint8)
    y, x = np.mgrid[0:16, 0:16]
    yield "few", np.stack([60 + 10 * (x // 4), 90 + 5 * ((x + y) // 8), np.full_like(x, 77)], -1).astype(np.uint8)


# name -> (function of timm, values in our units)
OPERATIONS = {
    "autocontrast": (timm.auto_contrast, [0]),
    "equalize": (timm.equalize, [0]),
    "invert": (timm.invert, [0]),
    "posterize": (timm.posterize, [1, 3, 4]),
    "solarize": (timm.solarize, [0, 26, 180, 256]),
    "solarize-add": (timm.solarize_add, [0, 99, 110]),
    "colour": (timm.color, [0.1, 0.19, 1, 1.81]),
    "contrast": (timm.contrast, [0.19, 1.81]),
    "brightness": (timm.brightness, [0.19, 1.81]),
    "sharpness": (timm.sharpness, [0.19, 1.81]),
    "rotate": (timm.rotate, [0, 27, -8.3]),
    "shear-x": (timm.shear_x, [0.27, -0.05]),
    "shear-y": (timm.shear_y, [0.27, -0.05]),
    "translate-x": (timm.translate_x_abs, [6.48, -2]),
    "translate-y": (timm.translate_y_abs, [6.48, -2]),
}
GEOMETRIC = {"rotate", "shear-x", "shear-y", "translate-x", "translate-y"}


def operations():
    """The cases, and raw pixels end to end, in which a picture has places [begin, end)."""
    entries, blob = [], b""

    def add(pixels):
        nonlocal blob
        start = len(blob)
        blob += np.ascontiguousarray(pixels).tobytes()
        return [start, len(blob)]

    for name, pixels in pictures():
        image, source = Image.fromarray(pixels), add(pixels)
        for op, (apply, values) in OPERATIONS.items():
            for value in values:
                for fill in (GREY, BLACK) if op in GEOMETRIC and value == values[0] else (GREY,):
                    result = apply(image, value, fillcolor=(fill,) * 3, resample=Image.Resampling.BILINEAR) if op not in ("autocontrast", "equalize", "invert") else apply(image)
                    entries.append(dict(name=f"{name} {op} {value} {fill}", source=source, size=len(pixels), op=op, value=value, fill=fill, expected=add(np.asarray(result))))
    return entries, blob


def consistency():
    """As AugMix's authors compute it, in double precision; some predictions are sure."""
    logits = 2 * torch.randn(3, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logits[:, 4] *= 8
    logits[1, 5] *= 20
    logits = logits.float().double().requires_grad_()
    probabilities = F.softmax(logits, -1)
    mixture = torch.clamp(probabilities.mean(0), 1e-7, 1).log()
    loss = sum(F.kl_div(mixture, one, reduction="batchmean") for one in probabilities) / 3
    loss.backward()
    return dict(views=3, classes=4, logits=logits.detach().flatten().tolist(), loss=loss.item(), gradient=logits.grad.flatten().tolist())


def make():
    if PIL.__version__ != "13.0.0":
        raise SystemExit(f"views.py: expected Pillow 13.0.0, found {PIL.__version__}")
    entries, blob = operations()
    (common.FOLDER / "views.json").write_text(json.dumps(dict(operations=entries, consistency=consistency())) + "\n")
    (common.FOLDER / "views.bin").write_bytes(blob)
