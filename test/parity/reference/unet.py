"""diffusers' UNet2DModel, with classes and as DDPM's checkpoints have it, and UNet2DConditionModel, Stable Diffusion's."""

import torch
from diffusers import UNet2DConditionModel, UNet2DModel

from .common import randomise_norms, save, save_model

PIXELS = dict(
    sample_size=16, in_channels=3, out_channels=3, block_out_channels=(16, 32, 32), layers_per_block=1, norm_num_groups=8,
    attention_head_dim=8, num_class_embeds=3,
    down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
)
# google/ddpm-cifar10-32 in small.
DDPM = dict(
    sample_size=8, in_channels=3, out_channels=3, block_out_channels=(8, 16, 16), layers_per_block=2, norm_num_groups=4,
    norm_eps=1e-6, attention_head_dim=None, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1,
    down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
)
LATENTS = dict(
    sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16, 16), norm_num_groups=4,
    cross_attention_dim=12, layers_per_block=2,
    down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
)
STABLE_DIFFUSION_1 = dict(LATENTS, attention_head_dim=4)
STABLE_DIFFUSION_2 = dict(LATENTS, attention_head_dim=(1, 2, 4), use_linear_projection=True, layers_per_block=1)


def randomised(model):
    """Biases start at zero, which would hide a missing one."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, 0.0, 0.2)
    randomise_norms(model)
    return model.eval()


def stable_diffusion(config):
    torch.manual_seed(3 if config is STABLE_DIFFUSION_1 else 4)
    return randomised(UNet2DConditionModel(**config))


def named(config, model):
    """As config.json has it."""
    return dict(config, _class_name=type(model).__name__)


def save_checkpoint(name, model, config, x, timestep, text=None):
    """As save_model, with the gradient by the text if there is one, and the reference's own errors in bf16."""
    inputs = [tensor for tensor in (x, text) if tensor is not None]
    names = ("y", "dx", "dtext")[: 1 + len(inputs)]

    def run(dtype):
        given = [tensor.to(dtype).requires_grad_(True) for tensor in inputs]
        y = model.to(dtype)(given[0], timestep, *given[1:]).sample
        return dict(zip(names, (y, *torch.autograd.grad((y * cotangent.to(dtype)).sum(), given))))

    cotangent = torch.randn_like(x)
    exact = run(torch.float32)
    save(name, model.state_dict(), config)
    errors = {key: ((found.float() - exact[key]).norm() / exact[key].norm()).item() for key, found in run(torch.bfloat16).items()}
    case = dict(x=x, timestep=timestep, **({} if text is None else {"text": text}), cotangent=cotangent, **exact)
    save(f"{name}_case", case, dict(config, bf16_errors=errors))


def make():
    torch.manual_seed(1)
    model = UNet2DModel(**PIXELS)
    randomise_norms(model)
    save_model("unet", model, PIXELS, torch.randn(3, 3, 16, 16),
               timestep=torch.tensor([0, 421, 999]), class_labels=torch.tensor([0, 2, 1]))

    torch.manual_seed(2)
    model = randomised(UNet2DModel(**DDPM))
    save_checkpoint("unet_ddpm", model, named(DDPM, model), torch.randn(2, 3, 8, 8), torch.tensor([3, 870]))

    for name, config in (("unet_sd1", STABLE_DIFFUSION_1), ("unet_sd2", STABLE_DIFFUSION_2)):
        model = stable_diffusion(config)
        save_checkpoint(name, model, named(config, model), torch.randn(2, 4, 8, 8), torch.tensor([3, 870]), torch.randn(2, 7, 12))
