"""timm's VisionTransformer in the forms that are met: AugReg and DeiT, distilled DeiT, DINOv2 with registers, MAE, CLIP;
some of them loaded by timm into a network for images of another size."""

import torch
from timm.layers import QuickGELU
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

from .common import randomise_norms, save_case, save_model

SHAPE = dict(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, mlp_ratio=2, num_classes=5)
FORMS = {
    "vit_token": {},
    "vit_distilled": {},
    "vit_registers": dict(reg_tokens=3, no_embed_class=True, init_values=1.0),
    "vit_average": dict(global_pool="avg"),
    "vit_clip": dict(pre_norm=True, act_layer=QuickGELU, norm_layer=torch.nn.LayerNorm),
}
OTHER_SIZES = {"vit_token": 40, "vit_distilled": 24, "vit_registers": 48, "vit_clip": 16}


def make():
    for seed, (name, form) in enumerate(FORMS.items()):
        torch.manual_seed(40 + seed)
        kind = VisionTransformerDistilled if name == "vit_distilled" else VisionTransformer
        model = kind(**SHAPE, **form)
        for parameter in model.parameters():
            # Biases and tokens start at zero, embeddings near it: all must matter.
            torch.nn.init.normal_(parameter, 0.0, 0.2)
        randomise_norms(model)
        save_model(name, model, dict(SHAPE, form=name), torch.randn(2, 3, 32, 32))
        if name in OTHER_SIZES:
            size = OTHER_SIZES[name]
            other = kind(**{**SHAPE, "img_size": size}, **form)
            other.load_state_dict(checkpoint_filter_fn(model.state_dict(), other))
            save_case(f"{name}_{size}px", other, dict(SHAPE, form=name), torch.randn(1, 3, size, size))
