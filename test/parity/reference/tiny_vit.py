"""timm's TinyViT: windows that fit, that are too few for whole ones and larger than what they attend to; and its weights
loaded by timm into a network with other windows."""

import torch
from timm.models.tiny_vit import TinyVit, checkpoint_filter_fn

from .common import bf16_errors, randomise_norms, save_case, save_model

SHAPE = dict(embed_dims=(8, 16, 24, 32), depths=(1, 1, 2, 1), num_heads=(1, 2, 3, 4), num_classes=5)


def make():
    torch.manual_seed(70)
    model = TinyVit(window_sizes=(7, 4, 3, 3), **SHAPE)
    for name, parameter in model.named_parameters():
        if name.endswith("attention_biases"):
            torch.nn.init.normal_(parameter)  # starts at zero
        elif parameter.dim() > 1:
            torch.nn.init.normal_(parameter, 0.0, parameter[0].numel() ** -0.5)
        else:
            torch.nn.init.normal_(parameter, 0.0, 0.2)
    randomise_norms(model)
    x = torch.randn(2, 3, 40, 40)
    config = dict(SHAPE, window_sizes=(7, 4, 3, 3))
    save_model("tiny_vit", model, dict(config, bf16=bf16_errors(model, x)), x)

    other = TinyVit(window_sizes=(7, 5, 2, 3), **SHAPE)
    other.load_state_dict(checkpoint_filter_fn(model.state_dict(), other))
    save_case("tiny_vit_windows_case", other, dict(SHAPE, window_sizes=(7, 5, 2, 3)), torch.randn(1, 3, 40, 40))
