"""timm's VisionTransformer in the forms that are met: AugReg and DeiT, distilled DeiT, DINOv2 with registers, MAE, CLIP."""

import torch
from timm.layers import QuickGELU
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer

from .common import randomise_norms, save_model

SHAPE = dict(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, mlp_ratio=2, num_classes=5)
FORMS = {
    "vit_token": {},
    "vit_distilled": {},
    "vit_registers": dict(reg_tokens=3, no_embed_class=True, init_values=1.0),
    "vit_average": dict(global_pool="avg"),
    "vit_clip": dict(pre_norm=True, act_layer=QuickGELU, norm_layer=torch.nn.LayerNorm),
}


def make():
    for seed, (name, form) in enumerate(FORMS.items()):
        torch.manual_seed(40 + seed)
        model = (VisionTransformerDistilled if name == "vit_distilled" else VisionTransformer)(**SHAPE, **form)
        for parameter in model.parameters():
            # Biases and tokens start at zero, embeddings near it: all must matter.
            torch.nn.init.normal_(parameter, 0.0, 0.2)
        randomise_norms(model)
        save_model(name, model, dict(SHAPE, form=name), torch.randn(2, 3, 32, 32))
