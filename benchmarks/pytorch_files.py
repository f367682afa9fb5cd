"""The operations of the trials on files, as they are usual in Python. Each returns: number of runs -> the numbers to compare."""

from itertools import cycle

import numpy as np
import torch
from pytorch_job import batch, folder, job, load, read_images, size, trial


class Photographs(torch.utils.data.Dataset):
    """Resize to 256/224 of the size along the shorter side, bilinear; the centre of it; uint8 [size, size, 3]."""

    def __init__(self):
        self.paths = sorted((folder / "photographs" / "train").rglob("*.jpg"))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        from PIL import Image

        image = Image.open(self.paths[index]).convert("RGB")
        side = size * 256 // 224
        width, height = image.size
        fitted = (side, side * height // width) if width <= height else (side * width // height, side)
        image = image.resize(fitted, Image.Resampling.BILINEAR)
        left, top = round((fitted[0] - size) / 2), round((fitted[1] - size) / 2)
        image = image.crop((left, top, left + size, top + size))
        return torch.from_numpy(np.array(image))


def readJpegs():
    photographs = Photographs()
    if job.get("workers"):
        # A sampler without end: no workers are started anew within the measurement. A run takes several batches, so that those
        # which are ready when it begins count as little as those which are ready when it ends.
        loader = torch.utils.data.DataLoader(photographs, batch, sampler=cycle(range(batch)), num_workers=job["threads"], prefetch_factor=1)
        batches = iter(loader)
        read = lambda: next(batches)
    else:
        read = lambda: torch.stack([photographs[index] for index in range(batch)])

    def run(repeat):
        for _ in range(repeat):
            pixels = read()
        return pixels

    run.result = lambda repeat: run(repeat).permute(0, 3, 1, 2).float()
    return run


def loadWeights():
    """Into a network that exists, as from_pretrained of the usual libraries does."""
    from eager_classifiers import Classifier
    from safetensors.torch import load_file

    def load_once():
        with torch.device("meta"):  # draws no weights that are thrown away
            net = Classifier(trial["models"]["teacher"]).net
        net.to_empty(device="cpu").load_state_dict(load_file(job["weights"]["teacher"]["path"]))
        return net

    def run(repeat):
        for _ in range(repeat):
            load_once()
        return torch.zeros(1)

    def result(_):
        classifier = load("teacher").eval()
        classifier.net = load_once().eval()
        with torch.inference_mode():
            return classifier(read_images().float() / 255)

    run.result = result
    return run


def emptyCall():
    """The nearest thing in Python: an operator on one number."""
    count = sum(parameter.numel() for parameter in load("teacher").parameters())
    number = torch.tensor([float(count)])

    def run(repeat):
        for _ in range(repeat):
            found = number + 0
        return found

    return run


operations = {one.__name__: one for one in (readJpegs, loadWeights, emptyCall)}
