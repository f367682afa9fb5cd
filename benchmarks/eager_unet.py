"""The U-Nets of the rivals, as plain PyTorch modules with the key names of diffusers' UNet2DModel and UNet2DConditionModel."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class ResnetBlock(nn.Module):
    def __init__(self, channels, out, embedding, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedding, out)
        self.norm2 = nn.GroupNorm(groups, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(channels, out, 1) if channels != out else None

    def forward(self, x, activated_embedding):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(activated_embedding)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Attention(nn.Module):
    def __init__(self, channels, groups, heads):
        super().__init__()
        self.heads = heads
        self.group_norm = nn.GroupNorm(groups, channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x, text=None):
        batch, channels, height, width = x.shape
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)  # [B, H*W, C]
        q, k, v = (
            linear(tokens).view(batch, -1, self.heads, channels // self.heads).transpose(1, 2)
            for linear in (self.to_q, self.to_k, self.to_v)
        )
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, -1, channels)
        return x + self.to_out[0](attended).transpose(1, 2).reshape(batch, channels, height, width)


class CrossAttention(nn.Module):
    def __init__(self, channels, context, heads):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k, self.to_v = (nn.Linear(context, channels, bias=False) for _ in range(2))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x, context):
        split = lambda y: y.unflatten(2, (self.heads, -1)).transpose(1, 2)  # [B, heads, N, d]
        attended = F.scaled_dot_product_attention(split(self.to_q(x)), split(self.to_k(context)), split(self.to_v(context)))
        return self.to_out[0](attended.transpose(1, 2).flatten(2))


class TextBlock(nn.Module):
    """BasicTransformerBlock of diffusers."""

    def __init__(self, channels, text, heads):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.attn1 = CrossAttention(channels, channels, heads)
        self.attn2 = CrossAttention(channels, text, heads)
        expand = nn.ModuleDict({"proj": nn.Linear(channels, 8 * channels)})
        self.ff = nn.ModuleDict({"net": nn.ModuleList([expand, nn.Identity(), nn.Linear(4 * channels, channels)])})

    def forward(self, x, text):
        normalised = self.norm1(x)
        x = x + self.attn1(normalised, normalised)
        x = x + self.attn2(self.norm2(x), text)
        values, gate = self.ff["net"][0]["proj"](self.norm3(x)).chunk(2, -1)
        return x + self.ff["net"][2](values * F.gelu(gate))


class SpatialTransformer(nn.Module):
    """Transformer2DModel of diffusers, with 1x1 convolutions as projections."""

    def __init__(self, channels, groups, heads, text):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, 1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TextBlock(channels, text, heads)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x, text):
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)  # [B, H*W, C]
        for block in self.transformer_blocks:
            tokens = block(tokens, text)
        return x + self.proj_out(tokens.transpose(1, 2).reshape(x.shape))


class Resample(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride, 1)


class Level(nn.Module):
    """Residual blocks of the given (in, out) channels, with attention and resampling where asked for."""

    def __init__(self, widths, attentions, resample, heads, embedding, groups, text):
        super().__init__()
        channels = widths[-1][1]
        attention = lambda: SpatialTransformer(channels, groups, heads, text) if text else Attention(channels, groups, heads)
        self.resnets = nn.ModuleList(ResnetBlock(a, b, embedding, groups) for a, b in widths)
        self.attentions = nn.ModuleList(attention() for _ in range(attentions))
        self.downsamplers = nn.ModuleList([Resample(channels, 2)] if resample == "down" else [])
        self.upsamplers = nn.ModuleList([Resample(channels, 1)] if resample == "up" else [])


class UNet(nn.Module):
    """spec: a UNetSpec of lib/native/specs.ts"""

    def __init__(self, spec):
        super().__init__()
        channels, attention, layers, heads = spec["blockChannels"], spec["attention"], spec["layersPerBlock"], spec["heads"]
        levels, embedding = len(channels), 4 * channels[0]
        shared = dict(embedding=embedding, groups=spec["normGroups"], text=spec["textChannels"])
        self.width = channels[0]
        self.conv_in = nn.Conv2d(spec["channels"], channels[0], 3, padding=1)
        self.time_embedding = nn.ModuleDict(
            {"linear_1": nn.Linear(channels[0], embedding), "linear_2": nn.Linear(embedding, embedding)}
        )
        self.class_embedding = nn.Embedding(spec["classEmbeddings"], embedding) if spec["classEmbeddings"] else None
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for i, out in enumerate(channels):
            widths = [(channels[max(i - 1, 0)] if j == 0 else out, out) for j in range(layers)]
            resample = "down" if i + 1 < levels else None
            self.down_blocks.append(Level(widths, layers * attention[i], resample, heads[i], **shared))
        self.mid_block = Level([(channels[-1], channels[-1])] * 2, 1, None, heads[-1], **shared)
        for i, out in enumerate(reversed(channels)):
            below = channels[levels - 1 - max(i - 1, 0)]
            last_skip = channels[max(levels - 2 - i, 0)]
            widths = [
                ((below if j == 0 else out) + (last_skip if j == layers else out), out) for j in range(layers + 1)
            ]
            resample = "up" if i + 1 < levels else None
            self.up_blocks.append(Level(widths, (layers + 1) * attention[levels - 1 - i], resample, heads[levels - 1 - i], **shared))
        self.conv_norm_out = nn.GroupNorm(spec["normGroups"], channels[0])
        self.conv_out = nn.Conv2d(channels[0], spec["channels"], 3, padding=1)

    def forward(self, x, timesteps, classes, text=None):
        """classes: [B], of a network with class embeddings; text: [B, tokens, textChannels], of one that takes a text"""
        half = self.width // 2
        frequencies = torch.exp(torch.arange(half, device=x.device) * (-math.log(10000.0) / half))
        angles = timesteps[:, None] * frequencies
        embedding = torch.cat([angles.cos(), angles.sin()], 1).to(self.conv_in.weight.dtype)
        embedding = self.time_embedding["linear_2"](F.silu(self.time_embedding["linear_1"](embedding)))
        if self.class_embedding is not None:
            embedding = embedding + self.class_embedding(classes)
        embedding = F.silu(embedding)

        h = self.conv_in(x)
        skips = [h]
        for level in self.down_blocks:
            for j, block in enumerate(level.resnets):
                h = block(h, embedding)
                if level.attentions:
                    h = level.attentions[j](h, text)
                skips.append(h)
            for sampler in level.downsamplers:
                h = sampler.conv(h)
                skips.append(h)
        h = self.mid_block.resnets[0](h, embedding)
        h = self.mid_block.resnets[1](self.mid_block.attentions[0](h, text), embedding)
        for level in self.up_blocks:
            for j, block in enumerate(level.resnets):
                h = block(torch.cat([h, skips.pop()], 1), embedding)
                if level.attentions:
                    h = level.attentions[j](h, text)
            for sampler in level.upsamplers:
                h = sampler.conv(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(self.conv_norm_out(h)))
