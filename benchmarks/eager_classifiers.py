"""The classifiers of the rivals, as plain PyTorch modules with the key names of torchvision (ResNet) and timm (others)."""

import torch
import torch.nn.functional as F
from torch import nn


# ---- each network: [B, 3, H, W] -> logits [B, K] ----

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


# ---- MobileNetV3 ----

def rounded(channels):
    """To a multiple of 8, by at most a tenth down."""
    result = max(8, int(channels + 4) // 8 * 8)
    return result + 8 if result < 0.9 * channels else result


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, rounded(channels / 4), 1)
        self.conv_expand = nn.Conv2d(rounded(channels / 4), channels, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.conv_expand(F.relu(self.conv_reduce(x.mean((2, 3), keepdim=True)))))


class InvertedResidual(nn.Module):
    def __init__(self, channels, expanded, out, kernel, stride, activation, squeeze):
        super().__init__()
        # The names count the convolutions: a block that does not expand starts with the depthwise one.
        names = iter([("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")] if expanded != channels else [("conv_dw", "bn1"), ("conv_pw", "bn2")])
        self.activation = {"relu": F.relu, "hardswish": F.hardswish}[activation]
        self.parts = []

        def add(convolution):
            name, norm = next(names)
            setattr(self, name, convolution)
            setattr(self, norm, nn.BatchNorm2d(convolution.out_channels))
            self.parts.append((name, norm))

        if expanded != channels:
            add(nn.Conv2d(channels, expanded, 1, bias=False))
        add(nn.Conv2d(expanded, expanded, kernel, stride, kernel // 2, groups=expanded, bias=False))
        add(nn.Conv2d(expanded, out, 1, bias=False))
        self.se = SqueezeExcite(expanded) if squeeze else nn.Identity()
        self.is_residual = stride == 1 and channels == out

    def forward(self, x):
        h = x
        for name, norm in self.parts[:-1]:
            h = self.activation(getattr(self, norm)(getattr(self, name)(h)))
        name, norm = self.parts[-1]
        h = getattr(self, norm)(getattr(self, name)(self.se(h)))
        return h + x if self.is_residual else h


class MobileNetV3Small(nn.Module):
    # Of each stage its blocks: repeats, kernel, stride, expansion, channels, activation, squeeze and excite.
    STAGES = [
        [(1, 3, 2, 1, 16, "relu", True)],
        [(1, 3, 2, 4.5, 24, "relu", False), (1, 3, 1, 3.67, 24, "relu", False)],
        [(1, 5, 2, 4, 40, "hardswish", True), (2, 5, 1, 6, 40, "hardswish", True)],
        [(2, 5, 1, 3, 48, "hardswish", True)],
        [(3, 5, 2, 6, 96, "hardswish", True)],
    ]

    def __init__(self, num_classes):
        super().__init__()
        self.conv_stem = nn.Conv2d(3, 16, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.blocks, channels = nn.Sequential(), 16
        for rows in self.STAGES:
            stage = nn.Sequential()
            for repeats, kernel, stride, expansion, out, activation, squeeze in rows:
                for i in range(repeats):
                    stage.append(InvertedResidual(channels, rounded(channels * expansion), out, kernel, stride if i == 0 else 1, activation, squeeze))
                    channels = out
            self.blocks.append(stage)
        last = nn.Module()
        last.conv, last.bn1 = nn.Conv2d(channels, 576, 1, bias=False), nn.BatchNorm2d(576)
        self.blocks.append(nn.Sequential(last))
        self.conv_head = nn.Conv2d(576, 1024, 1)
        self.classifier = nn.Linear(1024, num_classes)

    def forward(self, x):
        x = F.hardswish(self.bn1(self.conv_stem(x)))
        for stage in self.blocks[:-1]:
            x = stage(x)
        last = self.blocks[-1][0]
        x = F.hardswish(last.bn1(last.conv(x))).mean((2, 3), keepdim=True)
        return self.classifier(F.hardswish(self.conv_head(x)).flatten(1))


# ---- vision transformer ----

class SelfAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # each [B, heads, N, d]
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape))


class TransformerBlock(nn.Module):
    def __init__(self, dim, heads, mlp_dim, eps):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps)
        self.attn = SelfAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, mlp_dim), "fc2": nn.Linear(mlp_dim, dim)})

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class VisionTransformer(nn.Module):
    def __init__(self, architecture, num_classes, image_size):
        super().__init__()
        dim, patch, eps = architecture["dim"], architecture["patch"], architecture["normEps"]
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, dim, patch, patch)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, (image_size // patch) ** 2 + 1, dim))
        self.blocks = nn.Sequential(*(TransformerBlock(dim, architecture["heads"], architecture["mlpDim"], eps) for _ in range(architecture["depth"])))
        self.norm = nn.LayerNorm(dim, eps)
        self.head = nn.Linear(dim, num_classes)

    def forward(self, x):
        tokens = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)  # [B, patches, dim]
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1).to(tokens.dtype), tokens], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(tokens)[:, 0]))


# ---- with what comes before the network ----

def network(spec):
    architecture, num_classes = dict(spec["architecture"]), spec["numClasses"]
    family = architecture.pop("family")
    if family == "vit":
        return VisionTransformer(architecture, num_classes, spec.get("inputSize", spec["imageSize"]))
    if family == "mobilenet-v3":
        return MobileNetV3Small(num_classes)
    return {"cnn": Cnn, "resnet": ResNet}[family](**architecture, num_classes=num_classes)


class Classifier(nn.Module):
    """A network with its normalisation. pixels: [B, 3, H, W] fp32 in 0..1 -> logits [B, K] fp32"""

    def __init__(self, spec):
        super().__init__()
        self.net = network(spec)
        self.size = spec.get("inputSize", spec["imageSize"])
        self.register_buffer("mean", torch.tensor(spec["mean"]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("inverse_std", 1 / torch.tensor(spec["std"]).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels):
        if pixels.shape[-1] != self.size:
            pixels = F.interpolate(pixels, (self.size, self.size), mode="bicubic", antialias=True)
        x = (pixels - self.mean) * self.inverse_std
        return self.net(x.to(next(self.net.parameters()).dtype)).float()
