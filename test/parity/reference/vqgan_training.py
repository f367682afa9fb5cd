"""A step of the training of VQGAN (arXiv 2012.09841) written with autograd alone: its losses, the adaptive weight of the
discriminator, and the weights after a step of gradient descent. The networks are those of the golden files `vqgan` (diffusers)
and `resnet_cifar` (timm); the discriminator has weights of a formula, which the test has too."""

import torch
from diffusers import VQModel
from safetensors.torch import load_file
from timm.models.resnet import BasicBlock, ResNet
from torch import nn

from . import common

WIDTH = 32
RATE = 0.05
PERCEPTUAL, ADVERSARIAL, COMMITMENT = 0.7, 0.8, 0.25


def fill(module, scale):
    """Weights of a formula: waves of amplitude `scale`, around 1 in norms."""
    ones = {f"{name}.weight" for name, child in module.named_modules() if isinstance(child, nn.BatchNorm2d)}
    with torch.no_grad():
        for number, (name, parameter) in enumerate(module.named_parameters()):
            wave = torch.sin(torch.arange(parameter.numel(), dtype=torch.float64) * 12.9898 + number).view_as(parameter)
            parameter.copy_(1 + 0.2 * wave if name in ones else scale * wave)
    return module


def discriminator():
    """The layers of NLayerDiscriminator of taming-transformers with n_layers=2."""
    conv = lambda i, o, stride, bias: nn.Conv2d(i, o, 4, stride, 1, bias=bias)
    main = nn.Sequential(
        conv(3, WIDTH, 2, True), nn.LeakyReLU(0.2),
        conv(WIDTH, 2 * WIDTH, 2, False), nn.BatchNorm2d(2 * WIDTH), nn.LeakyReLU(0.2),
        conv(2 * WIDTH, 4 * WIDTH, 1, False), nn.BatchNorm2d(4 * WIDTH), nn.LeakyReLU(0.2),
        conv(4 * WIDTH, 1, 1, True),
    )
    return fill(main, 0.05).train()


def plain_network():
    """Two stages of our plain network, without its head."""
    conv = lambda i, o, stride: nn.Conv2d(i, o, 3, stride, 1, bias=False)
    return fill(nn.Sequential(conv(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 8, 2), nn.BatchNorm2d(8), nn.ReLU()), 0.3).eval()


def classifier():
    path = common.FOLDER / "resnet_cifar.safetensors"
    model = ResNet(BasicBlock, (1, 1, 1, 1), channels=(4, 8, 16, 32), num_classes=5, stem_type="deep", stem_width=2)
    model.conv1 = nn.Conv2d(3, 4, 3, stride=1, padding=1, bias=False)
    model.maxpool = nn.Identity()
    model.load_state_dict(load_file(path))
    return model.eval()


def feature_maps(model, images):
    x = model.maxpool(model.act1(model.bn1(model.conv1(((images + 1) / 2 - 0.45) / 0.25))))
    maps = [x]
    for layer in (model.layer1, model.layer2, model.layer3, model.layer4):
        maps.append(layer(maps[-1]))
    return maps


def plain_maps(network, images):
    first = network[:3](((images + 1) / 2 - 0.45) / 0.25)
    return [first, network[3:](first)]


def distance(found, expected):
    unit = lambda x: x / (x.square().sum(1, keepdim=True) + 1e-10).sqrt()
    return sum((unit(a) - unit(b)).square().sum(1).mean() for a, b in zip(found, expected))


def make():
    torch.manual_seed(40)
    vqgan = VQModel(
        block_out_channels=(8, 16), layers_per_block=2, norm_num_groups=4, latent_channels=6, vq_embed_dim=4, num_vq_embeddings=200,
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"), up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
    )
    vqgan.load_state_dict(load_file(common.FOLDER / "vqgan.safetensors"))
    judge, teacher, plain = discriminator(), classifier(), plain_network()
    images = torch.randint(0, 256, (3, 16, 16, 3), dtype=torch.uint8)
    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1

    latents = vqgan.quant_conv(vqgan.encoder(x))
    codes = vqgan.quantize.embedding.weight
    indices = torch.cdist(latents.permute(0, 2, 3, 1).reshape(-1, 4), codes).argmin(1).view(3, 8, 8)
    nearest = codes[indices].permute(0, 3, 1, 2)
    made = vqgan.decoder(vqgan.post_quant_conv(latents + (nearest - latents).detach()))
    terms = {
        "absoluteError": (made - x).abs().mean(),
        "perceptual": distance(feature_maps(teacher, made), feature_maps(teacher, x)),
        "codebook": (nearest - latents.detach()).square().mean(),
        "commitment": (nearest.detach() - latents).square().mean(),
        "adversarial": -judge(made).mean(),
    }
    fidelity = terms["absoluteError"] + PERCEPTUAL * terms["perceptual"]
    last = vqgan.decoder.conv_out.weight
    norm = lambda loss: torch.autograd.grad(loss, last, retain_graph=True)[0].norm()
    weight = (norm(fidelity) / (norm(terms["adversarial"]) + 1e-4)).clamp(0, 1e4).detach() * ADVERSARIAL
    loss = fidelity + weight * terms["adversarial"] + terms["codebook"] + COMMITMENT * terms["commitment"]
    hinge = 0.5 * (torch.relu(1 - judge(x)).mean() + torch.relu(1 + judge(made.detach())).mean())
    del terms["commitment"]  # the same number as the codebook's, with another gradient
    terms |= {"adversarialWeight": weight, "discriminator": hinge, "loss": loss}
    of_plain_network = distance(plain_maps(plain, made), plain_maps(plain, x))
    for network, objective in ((vqgan, loss), (judge, hinge)):
        parameters = list(network.parameters())
        gradients = torch.autograd.grad(objective, parameters, retain_graph=True)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter -= RATE * gradient

    shown = ("encoder.conv_in.weight", "quant_conv.weight", "quantize.embedding.weight", "post_quant_conv.weight", "decoder.conv_in.weight",
             "decoder.conv_out.weight")
    state = vqgan.state_dict()
    after = {f"model.{name}": state[name] for name in shown}
    after |= {f"discriminator.model.main.{name}": value for name, value in judge.named_parameters() if name in ("0.weight", "3.weight", "8.weight")}
    common.save("vqgan_training", {"images": images.float(), **{f"after.{name}": value.clone() for name, value in after.items()}},
                {"terms": {name: value.item() for name, value in terms.items()}, "perceptual_of_plain_network": of_plain_network.item(), "rate": RATE, "perceptual": PERCEPTUAL, "adversarial": ADVERSARIAL})
