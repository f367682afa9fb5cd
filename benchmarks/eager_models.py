"""The models of the rival, as plain PyTorch modules with the key names of diffusers (U-Net) and torchvision (ResNet)."""

import math

import torch
import torch.nn.functional as F
from torch import nn


# ---- classifiers: [B, 3, H, W] -> logits [B, K] ----

class Cnn(nn.Module):
    def __init__(self, width, stages, num_classes):
        super().__init__()
        layers, channels = [], 3
        for stage in range(stages):
            out = width << stage
            stride = 1 if stage == 0 else 2
            layers += [nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
            channels = out
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


class BasicBlock(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        out = 4 * width
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(out)))))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, layers, width, stem, num_classes, bottleneck):
        super().__init__()
        cifar = stem == "cifar"
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False) if cifar else nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if cifar else nn.MaxPool2d(3, 2, 1)
        channels, self.stages = width, []
        for i, blocks in enumerate(layers):
            stage = nn.Sequential()
            for j in range(blocks):
                stride = 2 if i > 0 and j == 0 else 1
                stage.append((Bottleneck if bottleneck else BasicBlock)(channels, width << i, stride))
                channels = (width << i) * (4 if bottleneck else 1)
            setattr(self, f"layer{i + 1}", stage)
            self.stages.append(f"layer{i + 1}")
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(x.mean((2, 3)))


class Classifier(nn.Module):
    """A network with its normalisation. pixels: [B, 3, H, W] fp32 in 0..1 -> logits [B, K] fp32"""

    def __init__(self, spec):
        super().__init__()
        options = dict(spec["architecture"], num_classes=spec["numClasses"])
        if options.pop("family") == "cnn":
            self.net = Cnn(**options)
        else:
            self.net = ResNet(**options)
        self.register_buffer("mean", torch.tensor(spec["mean"]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("inverse_std", 1 / torch.tensor(spec["std"]).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels):
        x = (pixels - self.mean) * self.inverse_std
        return self.net(x.to(self.net.fc.weight.dtype)).float()


# ---- the U-Net: diffusers' UNet2DModel ----

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
    def __init__(self, channels, groups, head_dim):
        super().__init__()
        self.heads = max(1, channels // head_dim)
        self.group_norm = nn.GroupNorm(groups, channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x):
        batch, channels, height, width = x.shape
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)  # [B, H*W, C]
        q, k, v = (
            linear(tokens).view(batch, -1, self.heads, channels // self.heads).transpose(1, 2)
            for linear in (self.to_q, self.to_k, self.to_v)
        )
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, -1, channels)
        return x + self.to_out[0](attended).transpose(1, 2).reshape(batch, channels, height, width)


class Resample(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride, 1)


class Level(nn.Module):
    """Residual blocks of the given (in, out) channels, with attention and resampling where asked for."""

    def __init__(self, widths, attentions, resample, embedding, groups, head_dim):
        super().__init__()
        channels = widths[-1][1]
        self.resnets = nn.ModuleList(ResnetBlock(a, b, embedding, groups) for a, b in widths)
        self.attentions = nn.ModuleList(Attention(channels, groups, head_dim) for _ in range(attentions))
        self.downsamplers = nn.ModuleList([Resample(channels, 2)] if resample == "down" else [])
        self.upsamplers = nn.ModuleList([Resample(channels, 1)] if resample == "up" else [])


class UNet(nn.Module):
    def __init__(self, spec):
        super().__init__()
        channels, attention, layers = spec["blockChannels"], spec["attention"], spec["layersPerBlock"]
        levels, embedding = len(channels), 4 * channels[0]
        shared = dict(embedding=embedding, groups=spec["normGroups"], head_dim=spec["headDim"])
        self.width = channels[0]
        self.conv_in = nn.Conv2d(3, channels[0], 3, padding=1)
        self.time_embedding = nn.ModuleDict(
            {"linear_1": nn.Linear(channels[0], embedding), "linear_2": nn.Linear(embedding, embedding)}
        )
        self.class_embedding = nn.Embedding(spec["numClasses"] + 1, embedding)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for i, out in enumerate(channels):
            widths = [(channels[max(i - 1, 0)] if j == 0 else out, out) for j in range(layers)]
            resample = "down" if i + 1 < levels else None
            self.down_blocks.append(Level(widths, layers * attention[i], resample, **shared))
        self.mid_block = Level([(channels[-1], channels[-1])] * 2, 1, None, **shared)
        for i, out in enumerate(reversed(channels)):
            below = channels[levels - 1 - max(i - 1, 0)]
            last_skip = channels[max(levels - 2 - i, 0)]
            widths = [
                ((below if j == 0 else out) + (last_skip if j == layers else out), out) for j in range(layers + 1)
            ]
            resample = "up" if i + 1 < levels else None
            self.up_blocks.append(Level(widths, (layers + 1) * attention[levels - 1 - i], resample, **shared))
        self.conv_norm_out = nn.GroupNorm(spec["normGroups"], channels[0])
        self.conv_out = nn.Conv2d(channels[0], 3, 3, padding=1)

    def forward(self, x, timesteps, classes):
        half = self.width // 2
        frequencies = torch.exp(torch.arange(half, device=x.device) * (-math.log(10000.0) / half))
        angles = timesteps[:, None] * frequencies
        embedding = torch.cat([angles.cos(), angles.sin()], 1).to(self.conv_in.weight.dtype)
        embedding = self.time_embedding["linear_2"](F.silu(self.time_embedding["linear_1"](embedding)))
        embedding = F.silu(embedding + self.class_embedding(classes))

        h = self.conv_in(x)
        skips = [h]
        for level in self.down_blocks:
            for j, block in enumerate(level.resnets):
                h = block(h, embedding)
                if level.attentions:
                    h = level.attentions[j](h)
                skips.append(h)
            for sampler in level.downsamplers:
                h = sampler.conv(h)
                skips.append(h)
        h = self.mid_block.resnets[0](h, embedding)
        h = self.mid_block.resnets[1](self.mid_block.attentions[0](h), embedding)
        for level in self.up_blocks:
            for j, block in enumerate(level.resnets):
                h = block(torch.cat([h, skips.pop()], 1), embedding)
                if level.attentions:
                    h = level.attentions[j](h)
            for sampler in level.upsamplers:
                h = sampler.conv(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(self.conv_norm_out(h)))
