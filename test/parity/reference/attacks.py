"""FGSM, PGD and Auto-PGD (arXiv 2003.01690) as plain loops over single images, on the classifier of
discrete_adversaries, without a random start. Kept are the losses that they reach."""

import math

import torch
import torch.nn.functional as F

from .common import save
from .discrete_adversaries import CLASSES, networks

SIZE, COUNT, STEPS = 8, 4, 30
EPSILON = {"l2": 1.0, "linf": 0.06}


def project(x, centre, norm, epsilon):
    change = x - centre
    change = change.clamp(-epsilon, epsilon) if norm == "linf" else change * min(1.0, epsilon / max(change.norm().item(), 1e-12))
    return (centre + change).clamp(0, 1)


def steepest(gradient, norm):
    return gradient.sign() if norm == "linf" else gradient / gradient.norm()


def checkpoints():
    p = [0.0, 0.22]
    while p[-1] < 1:
        p.append(p[-1] + max(p[-1] - p[-2] - 0.03, 0.06))
    return sorted({math.ceil(round(value * STEPS, 9)) for value in p[1:] if value <= 1})


def loss_and_gradient(network, x, label):
    x = x.detach().requires_grad_(True)
    loss = F.cross_entropy(network(x[None]), label[None])
    return loss.item(), torch.autograd.grad(loss, x)[0]


def fgsm(network, x, label, norm, epsilon):
    return project(x + epsilon * steepest(loss_and_gradient(network, x, label)[1], norm), x, norm, epsilon)


def pgd(network, x, label, norm, epsilon):
    z = x
    for _ in range(STEPS):
        z = project(z + 2.5 * epsilon / STEPS * steepest(loss_and_gradient(network, z, label)[1], norm), x, norm, epsilon)
    return z


def apgd(network, x, label, norm, epsilon):
    size = 2 * epsilon
    before, z = x, x
    loss, gradient = loss_and_gradient(network, z, label)
    best = (loss, z, gradient)
    halved, best_then, last, rises = True, loss, 0, 0
    visited = [(network(z[None]).argmax() != label, loss, z)]
    for step in range(1, STEPS + 1):
        plain = project(z + size * steepest(gradient, norm), x, norm, epsilon)
        share = 1.0 if step == 1 else 0.75
        before, z = z, project(z + share * (plain - z) + (1 - share) * (z - before), x, norm, epsilon)
        loss_before = loss
        loss, gradient = loss_and_gradient(network, z, label)
        visited.append((network(z[None]).argmax() != label, loss, z))
        rises += loss > loss_before
        if loss > best[0]:
            best = (loss, z, gradient)
        if step in checkpoints():
            halved = rises < 0.75 * (step - last) or (not halved and best[0] == best_then)
            best_then, last, rises = best[0], step, 0
            if halved:
                size /= 2
                loss, z, gradient = best
    return max(visited, key=lambda point: (bool(point[0]), point[1]))[2]


def make():
    _, (_, network) = networks()
    pixels = torch.randint(0, 256, (COUNT, SIZE, SIZE, 3)).float()
    x = pixels.permute(0, 3, 1, 2) / 255
    labels = network(x).argmax(1)
    labels[-1] = (labels[-1] + 1) % CLASSES  # one that is wrong from the beginning
    case = {"pixels": pixels, "labels": labels}
    for norm, epsilon in EPSILON.items():
        for attack in (fgsm, pgd, apgd):
            found = torch.stack([attack(network, image, label, norm, epsilon) for image, label in zip(x, labels)])
            case[f"{attack.__name__}.{norm}"] = F.cross_entropy(network(found), labels, reduction="none")
    save("attacks_case", case, {"steps": STEPS, "epsilon": EPSILON})
