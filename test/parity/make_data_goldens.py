"""Makes test/parity/goldens/ranking.json and clusters.json with scikit-learn, and transforms.json and transforms.bin with Pillow.

    python -m venv data-goldens-env
    data-goldens-env/bin/pip install numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1 pillow==13.0.0
    data-goldens-env/bin/python test/parity/make_data_goldens.py

The transforms are computed with Pillow as torchvision composes them: Resize(s) fits the shorter side and rounds the
longer one down, Resize((s, s)) fits both, CenterCrop rounds halves to even.
"""

import io
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.metrics import average_precision_score, roc_auc_score

for package, expected in {"numpy": "2.4.6", "scikit-learn": "1.9.1", "pillow": "13.0.0"}.items():
    if version(package) != expected:
        sys.exit(f"make_data_goldens.py: expected {package} {expected}, found {version(package)}")

GOLDENS = Path(__file__).parent / "goldens"
SIZES = [(178, 218), (250, 167), (167, 250), (120, 90), (60, 200), (5, 3), (1, 1)]  # width, height
KERNELS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


def picture(width, height):
    """Smooth waves with noise: a shift by a fraction of a pixel shows, and the bytes pack."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 9 + y / 17), np.cos(x / 5 - y / 23), np.sin(x * y / 3000)], -1)
    return Image.fromarray((127.5 + 100 * waves).round().clip(0, 255).astype(np.uint8))


def center_crop(image, size):
    left, top = (int(round((side - size) / 2.0)) for side in image.size)
    return image.crop((left, top, left + size, top + size))


def fit_shorter(image, size, kernel):
    width, height = image.size
    return image.resize((size, int(size * height / width)) if width <= height else (int(size * width / height), size), kernel)


# name -> (transform as in our configuration with imageSize, function of Pillow images)
def transforms_of(kernel, size):
    side = round(size * 256 / 224)
    return {
        "imagenet": (dict(crop=0, aspect="keep", resizeRatio=256 / 224), lambda image: center_crop(fit_shorter(image, side, kernel), size)),
        "stretch": (dict(crop=0, aspect="stretch", resizeRatio=256 / 224), lambda image: center_crop(image.resize((side, side), kernel), size)),
        "crop": (dict(crop=90, aspect="keep", resizeRatio=1), lambda image: center_crop(image, 90).resize((size, size), kernel)),
        "cover": (dict(crop=0, aspect="keep", resizeRatio=1), lambda image: center_crop(fit_shorter(image, size, kernel), size)),
    }


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def transforms():
    """The cases, and PNG files and raw results end to end, in which a case has places [begin, end)."""
    entries, blob = [], b""

    def add(data):
        nonlocal blob
        start = len(blob)
        blob += bytes(data)
        return [start, len(blob)]

    for width, height in SIZES:
        image = picture(width, height)
        source = add(png(image))
        for size in (64, 112) if width != 178 else (112, 224):
            for kernel_name, kernel in KERNELS.items():
                if size != 112 and kernel_name != "bilinear":
                    continue
                for name, (transform, apply) in transforms_of(kernel, size).items():
                    if transform["crop"] > min(width, height):
                        continue
                    result = apply(image)
                    assert result.size == (size, size)
                    # One pixel in three along both axes says as much as all of them, in a ninth of the bytes.
                    values = np.asarray(result)[::3, ::3].tobytes()
                    entries.append(dict(name=f"{width}x{height} {name} {size} {kernel_name}", source=source, size=size, transform={**transform, "kernel": kernel_name}, expected=add(values)))
    return entries, blob


# Ranking: with and without ties


def rankings_given():
    yield "perfect", [1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]
    yield "interleaved", [1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]
    yield "all equal", [1, 1, 0, 0, 0], [0.5] * 5
    yield "ties across classes", [1, 0, 1, 0, 1], [0.9, 0.9, 0.5, 0.4, 0.4]
    yield "reversed", [0, 0, 1], [0.9, 0.8, 0.1]
    yield "Spurious ImageNet sizes", [1] * 50 + [0] * 75, [*np.linspace(0.5, 1, 50), *np.linspace(0, 0.75, 75)]
    random = np.random.default_rng(0)
    for number, (length, levels, share) in enumerate([(20, None, 0.5), (125, None, 0.4), (125, 8, 0.4), (400, 3, 0.1), (400, None, 0.02), (1000, 50, 0.9)]):
        labels = random.random(length) < share
        labels[:2] = [True, False]
        scores = random.random(length) + 0.3 * labels
        if levels is not None:
            scores = np.round(scores * levels) / levels
        yield f"random {number}", labels.astype(int).tolist(), scores.tolist()


def rankings():
    return [dict(name=name, labels=labels, scores=[float(score) for score in scores], averagePrecision=float(average_precision_score(labels, scores)), rocAuc=float(roc_auc_score(labels, scores))) for name, labels, scores in rankings_given()]


# Two clusters, as of losses over epochs: most images learned early, some late


def points_given():
    random = np.random.default_rng(1)
    for name, early, late, epochs, spread in [("apart", 40, 8, 6, 0.1), ("overlapping", 150, 30, 5, 0.7), ("one epoch", 60, 60, 1, 0.4), ("few", 5, 2, 3, 0.3)]:
        decay = np.exp(-np.arange(epochs))
        yield name, np.concatenate([decay * random.lognormal(0, spread, (early, epochs)), (2 - decay) * random.lognormal(0, spread, (late, epochs))])
    yield "no structure", random.random((200, 2))


def clusters():
    for name, points in points_given():
        points = points.round(4)  # short in the file, the same on both sides
        fit = KMeans(2, n_init=100, random_state=0, tol=0).fit(points)
        yield dict(name=name, points=points.tolist(), clusters=fit.labels_.tolist(), inertia=float(fit.inertia_))


if __name__ == "__main__":
    (GOLDENS / "clusters.json").write_text(json.dumps(list(clusters())) + "\n")
    (GOLDENS / "ranking.json").write_text(json.dumps(rankings()) + "\n")
    entries, blob = transforms()
    (GOLDENS / "transforms.json").write_text(json.dumps(entries, indent=1) + "\n")
    (GOLDENS / "transforms.bin").write_bytes(blob)
