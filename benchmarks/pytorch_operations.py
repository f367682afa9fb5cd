"""The operations of the trials in PyTorch, as a good user would write them. Each returns: number of runs -> the numbers to compare.

Frozen networks are converted to bf16 once (batch norm statistics stay fp32) and need no gradients of their own; the student
trains under autocast with fp32 weights. With torch.compile the function from noise or pixels to the score or loss is one
graph, its gradient another; along a chain the network alone is, which is the same at every step. The counterparts are in
ours-operations.mjs.
"""

import math

import torch
import torch.nn.functional as F
from pytorch_job import batch, compiled, device, dtype, freeze, job, labels, layout, load, next_iteration, read_images, read_noise, read_text, size, trial


# ---- diffusion and guidance ----

def alpha_bars_of(schedule):
    count = schedule["trainTimesteps"]
    if schedule["betas"] == "cosine":
        alpha_bar = lambda t: math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = [min(1 - alpha_bar((i + 1) / count) / alpha_bar(i / count), 0.999) for i in range(count)]
    else:  # scaled-linear
        start, end = math.sqrt(schedule["betaStart"]), math.sqrt(schedule["betaEnd"])
        betas = [(start + (end - start) * i / (count - 1)) ** 2 for i in range(count)]
    product, result = 1.0, []
    for beta in betas:
        product *= 1 - beta
        result.append(product)
    return result


class Guidance:
    """The frozen networks, and what is asked of them."""

    def __init__(self, with_classifiers=True):
        self.unet = freeze(load("denoiser"))
        if with_classifiers:
            self.teacher, self.student = (freeze(load(role)) for role in ("teacher", "student"))
        self.decoder = freeze(load("autoencoder")) if "autoencoder" in trial["models"] else None
        self.spec, self.text = trial["models"]["denoiser"], read_text()
        self.alpha_bars = alpha_bars_of(self.spec["schedule"])

    def output(self, x, timesteps):
        return self.unet(x.to(dtype).contiguous(memory_format=layout), timesteps, labels, self.text).float()

    def prediction(self, x, output, timestep):
        """x0, clamped where the generator says so, and epsilon."""
        alpha, sigma = math.sqrt(self.alpha_bars[timestep]), math.sqrt(1 - self.alpha_bars[timestep])
        if self.spec["prediction"] == "v":
            x0, epsilon = alpha * x - sigma * output, sigma * x + alpha * output
        else:
            x0, epsilon = (x - sigma * output) / alpha, output
        return (x0.clamp(-self.spec["clip"], self.spec["clip"]) if self.spec["clip"] else x0), epsilon

    def disagreement(self, x0):
        """Probability of the class under the teacher minus that under the student, summed over the batch."""
        pixels = ((self.decoder(x0) if self.decoder else x0) + 1) / 2
        probability = lambda model: model(pixels).softmax(1).gather(1, labels[:, None])
        return (probability(self.teacher) - probability(self.student)).sum()


def timesteps_at(timestep):
    return torch.full((batch,), float(timestep), device=device)


def guidedStep():
    guidance, noise, timestep = Guidance(), read_noise(), trial["timestep"]
    timesteps = timesteps_at(timestep)
    score = compiled(lambda x: guidance.disagreement(guidance.prediction(x, guidance.output(x, timesteps), timestep)[0]))

    def run(repeat):
        for _ in range(repeat):
            next_iteration()
            if job.get("recipe") == "clip-guided":  # it predicts first, for the step that is to be corrected, and again for the gradient
                with torch.no_grad():
                    guidance.output(noise, timesteps)
            x = noise.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(score(x), x)
        return gradient

    return run


def chain():
    guidance, noise = Guidance(), read_noise()
    alpha_bars = guidance.alpha_bars
    stride = len(alpha_bars) // trial["steps"]
    output = compiled(guidance.output)
    score = compiled(guidance.disagreement)
    steps = [(timestep, timesteps_at(timestep)) for timestep in range(len(alpha_bars) - 1, -1, -stride)]

    def run(repeat):
        for _ in range(repeat):
            next_iteration()
            z = x = noise.detach().requires_grad_(True)
            for timestep, timesteps in steps:
                x0, epsilon = guidance.prediction(x, output(x, timesteps), timestep)
                following = alpha_bars[timestep - stride] if timestep >= stride else 1.0
                x = math.sqrt(following) * x0 + math.sqrt(1 - following) * epsilon
            (gradient,) = torch.autograd.grad(score(x), z)
        return gradient

    return run


# ---- training ----

def studentStep():
    teacher, student = freeze(load("teacher")), load("student").train()
    images = read_images()
    parameters = list(student.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.999), weight_decay=0.01, fused=True)

    def loss_of(images):
        pixels = images.float() / 255
        with torch.no_grad():
            target = teacher(pixels).softmax(1)
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            logits = student(pixels)
        return F.cross_entropy(logits, target)

    loss_of = compiled(loss_of)

    def step():
        next_iteration()
        loss = loss_of(images.to(device))
        loss.backward()
        norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters])
        optimizer.step()
        values = loss.item(), norm.item()
        optimizer.zero_grad()
        return values

    return lambda repeat: torch.tensor([step() for _ in range(repeat)])


# ---- attacks ----

def discreteAdversary():
    teacher, vqgan = freeze(load("teacher")), freeze(load("discretiser"))
    images = read_images()
    length = trial["epsilon"] * size / 224
    lengths = lambda change: change.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp_min(1e-20)
    discretise = compiled(vqgan.discretise)
    loss = compiled(lambda z: F.cross_entropy(teacher(z), labels, reduction="sum"))
    predict = compiled(lambda pixels: teacher(pixels).softmax(1))

    def run(repeat):
        for _ in range(repeat):
            next_iteration()
            pixels = images.to(device).contiguous(memory_format=layout).float() / 255
            with torch.no_grad():
                reconstruction = discretise(pixels).clone()
            z = reconstruction.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(loss(z), z)
            with torch.no_grad():
                change = length * gradient / lengths(gradient)
                change = change * (length / lengths(change)).clamp_max(1)
                found = (discretise((reconstruction + change).clamp(0, 1)) * 255).round().to(torch.uint8)
                probabilities = predict(found.float() / 255).cpu()
        return found.float(), probabilities

    return lambda repeat: run(repeat)[0]


# ---- without gradients ----

def classify():
    """The part that an ONNX file of the network has is `network`, of 8-bit images [B, size, size, 3]."""
    teacher = freeze(load("teacher"))
    images = read_images().permute(0, 2, 3, 1)
    network = lambda images: teacher(images.permute(0, 3, 1, 2).float() / 255)
    predict = compiled(network)

    def run(repeat):
        with torch.inference_mode():
            for _ in range(repeat):
                next_iteration()
                logits = predict(images.to(device))
        return logits

    run.network, run.example = network, (images,)
    return run


def sample():
    """DDIM without guidance; the part that an ONNX file has is the U-Net."""
    guidance, noise = Guidance(with_classifiers=False), read_noise()
    alpha_bars = guidance.alpha_bars
    stride = len(alpha_bars) // trial["steps"]
    output = compiled(guidance.output)
    steps = [(timestep, timesteps_at(timestep)) for timestep in range(len(alpha_bars) - 1, -1, -stride)]

    def run(repeat):
        with torch.inference_mode():
            for _ in range(repeat):
                next_iteration()
                x = noise
                for timestep, timesteps in steps:
                    x0, epsilon = guidance.prediction(x, output(x, timesteps), timestep)
                    following = alpha_bars[timestep - stride] if timestep >= stride else 1.0
                    x = math.sqrt(following) * x0 + math.sqrt(1 - following) * epsilon
                images = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()
        return images.float()

    run.network, run.example = guidance.output, (noise, timesteps_at(0))
    return run


operations = {one.__name__: one for one in (guidedStep, chain, studentStep, discreteAdversary, classify, sample)}
