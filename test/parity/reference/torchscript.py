"""Networks as TorchScript: a scripted one with a branch and a type in its code, a traced one for images of one size, and
some that cannot be used; with what the first two must give. The order of the constants in their code is that of Python's
hashes: with PYTHONHASHSEED=0 the files are the same in every run."""

import torch

from . import common
from .common import randomise_norms, save_case


class Scripted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn, self.conv2 = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 12, 3)
        self.fc = torch.nn.Linear(12, 2)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv1(x)))
        if x.shape[-1] > 8:
            x = torch.nn.functional.max_pool2d(x, 2)
        x = torch.nn.functional.gelu(self.conv2(x)).mean((2, 3))
        return self.fc(x) * torch.tensor([1.5, 0.5], dtype=torch.float32, device=x.device)


class Traced(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Conv2d(3, 8, 4, stride=4), torch.nn.SiLU(), torch.nn.Flatten(), torch.nn.LayerNorm(128), torch.nn.Linear(128, 2))


class Head(torch.nn.Module):
    """Of the networks that cannot be used."""

    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)

    def logits(self, x):
        return self.fc(x.mean((2, 3)))


class Pair(Head):
    def forward(self, x):
        y = self.logits(x)
        return y, y


class Detached(Head):
    def forward(self, x):
        return self.logits(x.detach())


class Centred(Head):
    def forward(self, x):
        y = self.logits(x)
        return y - y.mean(0)


class OnlyFp32(Head):
    def forward(self, x):
        y = self.logits(x)
        assert y.dtype == torch.float32
        return y


def save_script(name, script):
    """Without what it knows of the file that its code came from, so that the bytes are reproducible."""
    path = common.FOLDER / f"torchscript_{name}.pt"
    script.save(str(path))
    reader = torch._C.PyTorchFileReader(str(path))
    records = {record: reader.get_record(record) for record in reader.get_all_records() if not record.endswith(".debug_pkl")}
    del reader
    writer = torch._C.PyTorchFileWriter(str(path))
    for record, content in records.items():
        if record != "version" and not record.startswith(".data/"):  # which the writer adds
            writer.write_record(record, content, len(content))
    writer.write_end_of_file()


def autocast_errors(model, x, cotangent):
    x = x.detach().requires_grad_(True)

    def gradients(enabled):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = model(x)
        return y, torch.autograd.grad((y * cotangent).sum(), x)[0]

    errors = [((a.float() - b).norm() / b.norm()).item() for a, b in zip(gradients(True), gradients(False))]
    return dict(zip(("logits", "gradient"), errors))


def make():
    for seed, (name, model) in enumerate({"scripted": Scripted(), "traced": Traced()}.items()):
        torch.manual_seed(80 + seed)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.0, 0.3)
        randomise_norms(model)
        model.eval()
        x = torch.randn(2, 3, 16, 16)
        save_script(name, torch.jit.script(model) if name == "scripted" else torch.jit.trace(model, x))
        save_case(f"torchscript_{name}_case", model, dict(bf16=autocast_errors(model, x, torch.tensor([1.0, -1.0]))), x)
    for model in (Pair(), Detached(), Centred(), OnlyFp32()):
        torch.manual_seed(90)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter)
        save_script(type(model).__name__.lower(), torch.jit.script(model.eval()))
    torch.save(model.state_dict(), common.FOLDER / "torchscript_weights.pt")
