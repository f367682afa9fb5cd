"""The autoencoders of the rivals, as plain PyTorch modules with the key names of diffusers' VQModel and AutoencoderKL."""

import torch
import torch.nn.functional as F
from eager_unet import Attention, Resample
from torch import nn

EPS = 1e-6


class Block(nn.Module):
    def __init__(self, channels, out, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, EPS)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, out, EPS)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(channels, out, 1) if channels != out else None

    def forward(self, x):
        h = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Level(nn.Module):
    def __init__(self, widths, attentions, resample, groups):
        super().__init__()
        channels = widths[-1][1]
        self.resnets = nn.ModuleList(Block(a, b, groups) for a, b in widths)
        self.attentions = nn.ModuleList(Attention(channels, groups, heads=1) for _ in range(attentions))
        for attention in self.attentions:
            attention.group_norm.eps = EPS
        self.downsamplers = nn.ModuleList([Resample(channels, 2)] if resample == "down" else [])
        self.upsamplers = nn.ModuleList([Resample(channels, 1)] if resample == "up" else [])
        for sampler in self.downsamplers:
            sampler.conv.padding = (0, 0)

    def forward(self, x):
        for i, block in enumerate(self.resnets):
            x = block(x)
            if i < len(self.attentions):
                x = self.attentions[i](x)
        for sampler in self.downsamplers:
            x = sampler.conv(F.pad(x, (0, 1, 0, 1)))
        for sampler in self.upsamplers:
            x = sampler.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return x


def widths(channels, out, count):
    return [(channels if i == 0 else out, out) for i in range(count)]


class Half(nn.Module):
    """An encoder or a decoder, whose blocks run in the order in which they are given."""

    def __init__(self, channels_in, first, blocks, channels_out, out, groups):
        super().__init__()
        self.conv_in = nn.Conv2d(channels_in, first, 3, padding=1)
        self.order = [name for name, _ in blocks]
        for name, block in blocks:
            self.add_module(name, block)
        self.conv_norm_out = nn.GroupNorm(groups, channels_out, EPS)
        self.conv_out = nn.Conv2d(channels_out, out, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for name in self.order:
            part = getattr(self, name)
            for level in part if isinstance(part, nn.ModuleList) else [part]:
                x = level(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


def halves(spec, encoded, latent):
    """The encoder to `encoded` and the decoder from `latent` channels of an AutoencoderShape of lib/native/specs.ts."""
    channels, attention, layers, groups = spec["blockChannels"], spec["attention"], spec["layersPerBlock"], spec["normGroups"]
    last = len(channels) - 1
    down = nn.ModuleList(Level(widths(channels[max(i - 1, 0)], out, layers), layers * attention[i], "down" if i < last else None, groups)
                         for i, out in enumerate(channels))
    up = nn.ModuleList(Level(widths(channels[min(i + 1, last)], channels[i], layers + 1), (layers + 1) * attention[i], "up" if i > 0 else None, groups)
                       for i in reversed(range(last + 1)))
    middle = lambda: Level([(channels[-1], channels[-1])] * 2, 1, None, groups)
    encoder = Half(3, channels[0], [("down_blocks", down), ("mid_block", middle())], channels[-1], encoded, groups)
    decoder = Half(latent, channels[-1], [("mid_block", middle()), ("up_blocks", up)], channels[0], 3, groups)
    return encoder, decoder


class KLDecoder(nn.Module):
    """The half of an AutoencoderKL that guidance takes."""

    def __init__(self, spec):
        super().__init__()
        self.scale = spec["scalingFactor"]
        self.post_quant_conv = nn.Conv2d(spec["latentChannels"], spec["latentChannels"], 1)
        _, self.decoder = halves(spec, 2 * spec["latentChannels"], spec["latentChannels"])

    def forward(self, latents):
        """[B, C, h, w] fp32 -> images [B, 3, H, W] fp32 in -1..1, clamped"""
        return self.decoder(self.post_quant_conv((latents / self.scale).to(self.post_quant_conv.weight.dtype))).float().clamp(-1, 1)


class VQGAN(nn.Module):
    def __init__(self, spec):
        super().__init__()
        latent, code = spec["latentChannels"], spec["codeChannels"]
        self.encoder, self.decoder = halves(spec, latent, latent)
        self.quant_conv = nn.Conv2d(latent, code, 1)
        self.quantize = nn.Module()
        self.quantize.embedding = nn.Embedding(spec["numCodes"], code)
        self.post_quant_conv = nn.Conv2d(code, latent, 1)

    def discretise(self, images):
        """images: [B, 3, H, W] fp32 in 0..1 -> the same from their nearest codes"""
        dtype = self.quant_conv.weight.dtype
        z = self.quant_conv(self.encoder((images * 2 - 1).to(dtype))).float()
        codebook = self.quantize.embedding.weight.float()
        vectors = z.permute(0, 2, 3, 1).flatten(0, 2)  # [B*h*w, code]
        distances = torch.addmm(codebook.square().sum(1), vectors, codebook.t(), alpha=-2)
        codes = codebook[distances.argmin(1)].view(len(z), *z.shape[2:], -1).permute(0, 3, 1, 2)
        y = self.decoder(self.post_quant_conv(codes.to(dtype))).float()
        return (y.clamp(-1, 1) + 1) / 2
