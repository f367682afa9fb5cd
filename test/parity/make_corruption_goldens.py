"""Makes test/parity/goldens/corruptions.json and corruptions.bin.gz with imagecorruptions 1.1.2, fed with our random numbers.

    python -m venv corruption-goldens-env
    corruption-goldens-env/bin/pip install numpy==2.4.6 scipy==1.17.1 pillow==13.0.0 scikit-image==0.26.0 opencv-python-headless==5.0.0.93
    corruption-goldens-env/bin/pip install --no-deps imagecorruptions==1.1.2
    corruption-goldens-env/bin/python test/parity/make_corruption_goldens.py

The package's code is run as it is published. Its random numbers are replaced by those of native/ops/random.h in the order
in which the native code draws them, so that every corruption can be compared pixel by pixel. Its strengths are those of
ImageNet-C; those of CIFAR-10-C, which the authors publish as a script, are set here. elastic_transform, which the package
has replaced by one of its own, is put together here from the functions that the authors' scripts call. Frost is left out:
its photographs are replaced by a texture of ours.
"""

import gzip
import inspect
import json
import re
import sys
import types
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import scipy.ndimage
import skimage.filters
from PIL import Image
from scipy.stats import poisson

for distribution, expected in {"imagecorruptions": "1.1.2", "scikit-image": "0.26.0", "opencv-python-headless": "5.0.0.93", "scipy": "1.17.1", "numpy": "2.4.6", "pillow": "13.0.0"}.items():
    if version(distribution) != expected:
        sys.exit(f"make_corruption_goldens.py: expected {distribution} {expected}, found {version(distribution)}")

GOLDENS = Path(__file__).parent / "goldens"

# The package was written for older libraries.
np.float_ = np.float64
sys.modules.setdefault("scipy.ndimage.interpolation", scipy.ndimage)
sys.modules["pkg_resources"] = types.SimpleNamespace(resource_filename=lambda module, path: str(Path(sys.modules[module].__file__).parent / path))

from imagecorruptions import corruptions as package  # noqa: E402


def gaussian(image, sigma=1, multichannel=False, **options):
    return skimage.filters.gaussian(image, sigma=sigma, channel_axis=-1 if multichannel else None, **options)


package.gaussian = gaussian

# A corruption draws by its place in this list, as in native/corruptions/corruption.cpp.
NAMES = ("gaussian_noise shot_noise impulse_noise defocus_blur glass_blur motion_blur zoom_blur snow frost fog brightness contrast elastic_transform "
         "pixelate jpeg_compression speckle_noise gaussian_blur spatter saturate").split()

# make_cifar_c.py of the authors (hendrycks/robustness), numbers only
CIFAR = {
    "gaussian_noise": [.04, .06, .08, .09, .10],
    "shot_noise": [500, 250, 100, 75, 50],
    "impulse_noise": [.01, .02, .03, .05, .07],
    "speckle_noise": [.06, .1, .12, .16, .2],
    "gaussian_blur": [.4, .6, .7, .8, 1],
    "glass_blur": [(.05, 1, 1), (.25, 1, 1), (.4, 1, 1), (.25, 1, 2), (.4, 1, 2)],
    "defocus_blur": [(.3, .4), (.4, .5), (.5, .6), (1, .2), (1.5, .1)],
    "motion_blur": [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)],
    "zoom_blur": [np.arange(1, 1.06, .01), np.arange(1, 1.11, .01), np.arange(1, 1.16, .01), np.arange(1, 1.21, .01), np.arange(1, 1.26, .01)],
    "fog": [(.2, 3), (.5, 3), (.75, 2.5), (1, 2), (1.5, 1.75)],
    "snow": [(.1, .2, 1, .6, 8, 3, .95), (.1, .2, 1, .5, 10, 4, .9), (.15, .3, 1.75, .55, 10, 4, .9), (.25, .3, 2.25, .6, 12, 6, .85), (.3, .3, 1.25, .65, 14, 12, .8)],
    "spatter": [(.62, .1, .7, .7, .5, 0), (.65, .1, .8, .7, .5, 0), (.65, .3, 1, .69, .5, 0), (.65, .1, .7, .69, .6, 1), (.65, .1, .5, .68, .6, 1)],
    "contrast": [.75, .5, .4, .3, .15],
    "brightness": [.05, .1, .15, .2, .3],
    "saturate": [(.3, 0), (.1, 0), (1.5, 0), (2, .1), (2.5, .2)],
    "jpeg_compression": [80, 65, 58, 50, 40],
    "pixelate": [.95, .9, .85, .75, .65],
}
ELASTIC = {
    224: [(244 * 2, 244 * .7, 244 * .1), (244 * 2, 244 * .08, 244 * .2), (244 * .05, 244 * .01, 244 * .02), (244 * .07, 244 * .01, 244 * .02), (244 * .12, 244 * .01, 244 * .02)],
    32: [(0, 0, 32 * .08), (32 * .05, 32 * .2, 32 * .07), (32 * .08, 32 * .06, 32 * .06), (32 * .1, 32 * .04, 32 * .05), (32 * .1, 32 * .03, 32 * .03)],
}


class Draws:
    """CounterRng of native/ops/random.h, and Draws of native/corruptions/draws.h."""

    GOLDEN, STREAM, MASK = 0x9E3779B97F4A7C15, 24, 2**64 - 1

    def __init__(self, seed, corruption):
        key = self.mix(seed + self.GOLDEN)
        self.key = self.mix(self.mix(key + self.STREAM * self.GOLDEN) + corruption * self.GOLDEN)
        self.next = 0

    @classmethod
    def mix(cls, z):
        """Of a whole number, or of an array of uint64, which wraps by itself."""
        mask = cls.MASK if isinstance(z, int) else np.uint64(cls.MASK)
        z = z & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def random(self, size=None):
        count = 1 if size is None else int(np.prod(size))
        index = np.arange(self.next + 1, self.next + count + 1, dtype=np.uint64)
        self.next += count
        values = (self.mix(self.key + index * self.GOLDEN) >> 11).astype(np.float64) * 2.0**-53
        return values[0] if size is None else values.reshape(size)

    def uniform(self, low=0, high=1, size=None):
        return low + (high - low) * self.random(size)

    def normal(self, loc=0, scale=1, size=None):
        pairs = self.random((-(-int(np.prod(size)) // 2), 2))
        radius, angle = np.sqrt(-2 * np.log(1 - pairs[:, 0])), 2 * np.pi * pairs[:, 1]
        values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)[: int(np.prod(size))]
        return loc + scale * values.reshape(size)

    def poisson(self, mean):
        return poisson.ppf(self.random(mean.shape), mean)

    def randint(self, low, high, size):
        return (low + np.floor(self.random(size) * (high - low))).astype(int)


def with_strengths(function, strengths, exchange=None):
    """The package's function with another list of five in place of its own, and one word exchanged for another."""
    source, count = re.subn(r"c = \[.*?\]\s*\[\s*severity - 1\]", "c = STRENGTHS[severity - 1]", inspect.getsource(function), count=1, flags=re.S)
    assert count == 1, function.__name__
    scope = dict(vars(package), STRENGTHS=strengths)
    exec(source.replace(*exchange) if exchange else source, scope)
    return scope[function.__name__]


def elastic_transform(image, strength):
    amount, sigma, affine = strength
    image = np.array(image, dtype=np.float32) / 255.0
    side = image.shape[0]
    centre, third = np.float32([side // 2, side // 2]), side // 3
    corners = np.float32([centre + third, [centre[0] + third, centre[1] - third], centre - third])
    moved = corners + np.random.uniform(-affine, affine, size=(3, 2)).astype(np.float32)
    image = cv2.warpAffine(image, cv2.getAffineTransform(corners, moved), (side, side), borderMode=cv2.BORDER_REFLECT_101)
    dx, dy = ((gaussian(np.random.uniform(-1, 1, size=(side, side)), sigma, mode="reflect", truncate=3) * amount).astype(np.float32) for _ in range(2))
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    channels = [scipy.ndimage.map_coordinates(image[..., c], [y + dy, x + dx], order=1, mode="reflect") for c in range(3)]
    return np.clip(np.stack(channels, -1), 0, 1) * 255


def corrupted(pixels, name, severity, seed):
    image, side = Image.fromarray(pixels), len(pixels)
    draws = Draws(seed, NAMES.index(name))
    kept = {key: getattr(np.random, key) for key in ("uniform", "normal", "poisson", "randint", "default_rng")}
    for key in kept:
        setattr(np.random, key, (lambda *_: draws) if key == "default_rng" else getattr(draws, key, None))
    try:
        if name == "elastic_transform":
            return np.uint8(elastic_transform(image, ELASTIC[side][severity - 1]))
        function = getattr(package, name)
        if name == "pixelate":
            # As the authors have it; the package enlarges by NEAREST, which where two pixels are equally near takes either.
            function = with_strengths(function, CIFAR[name] if side < 85 else [.6, .5, .4, .3, .25], ("Image.NEAREST", "Image.BOX"))
        elif side < 85:
            function = with_strengths(function, CIFAR[name])
        return np.uint8(function(image, severity))
    finally:
        for key, value in kept.items():
            setattr(np.random, key, value)


def picture(side, number):
    """Waves of several lengths, edges and flat parts, in whole numbers, so that the test can make them as well."""
    y, x = np.mgrid[0:side, 0:side].astype(np.int64)

    def triangle(value, period):
        return abs(value % period * 2 - period) * 255 // period

    period = [23, 37, 61][number % 3] * side // 64 + 5
    red = triangle(3 * x + y + 7 * number, 3 * period)
    green = triangle(2 * y + x * y // 16, 2 * period)
    blue = (triangle(x + 2 * y, 4 * period) + triangle(x * x // 9 + y, period)) // 2
    dark = (x // (side // 4) + y // (side // 4)) % 3 == 0
    flat = (x - side // 2) ** 2 + (y - side // 3) ** 2 < (side // 6) ** 2
    pixels = np.stack([red, green, blue], -1)
    pixels = np.where(dark[..., None], pixels // 3, pixels)
    return np.where(flat[..., None], [190, 120 + 9 * number, 57], pixels).astype(np.uint8)


EVERY = [name for name in NAMES if name != "frost"]
# No length in pixels is in these: other sizes, even and odd, have the strengths of the table as they are.
WITHOUT_LENGTHS = ["shot_noise", "impulse_noise", "zoom_blur", "fog", "brightness", "contrast", "pixelate", "jpeg_compression", "saturate"]
SIZES = {32: (7, EVERY), 50: (61, WITHOUT_LENGTHS), 97: (241, WITHOUT_LENGTHS), 224: (401, EVERY)}  # side -> every so many-th value is kept, kinds


def main():
    cases, blob = [], b""
    for side, (stride, names) in SIZES.items():
        for name in names:
            for severity in range(1, 6):
                seed = 1000 * severity + side
                kept = corrupted(picture(side, severity), name, severity, seed).reshape(-1)[::stride].tobytes()
                cases.append(dict(kind=name, severity=severity, size=side, seed=seed, picture=severity, stride=stride, expected=[len(blob), len(blob) + len(kept)]))
                blob += kept
    (GOLDENS / "corruptions.json").write_text(json.dumps(cases) + "\n")
    (GOLDENS / "corruptions.bin.gz").write_bytes(gzip.compress(blob, mtime=0))


if __name__ == "__main__":
    main()
