"""diffusers' DDIMScheduler."""

import torch
from diffusers import DDIMScheduler

from .common import save


def make():
    """Trajectories of a model that any language can write down: v = 0.3 x + 0.1 sin(t / 100)."""
    torch.manual_seed(20)
    start = torch.randn(2, 3, 4, 4)
    shared = dict(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
                  set_alpha_to_one=True)
    tensors = {"start": start}
    for spacing in ("trailing", "leading"):
        for clip in (True, False):
            for steps in (10, 20):
                scheduler = DDIMScheduler(**shared, clip_sample=clip, timestep_spacing=spacing)
                scheduler.set_timesteps(steps)
                x, trajectory = start, [start]
                for t in scheduler.timesteps:
                    x = scheduler.step(0.3 * x + 0.1 * torch.sin(t / 100.0), t, x, eta=0.0).prev_sample
                    trajectory.append(x)
                key = f"{spacing}.{'clip' if clip else 'free'}.{steps}"
                tensors[f"{key}.timesteps"] = scheduler.timesteps
                tensors[f"{key}.trajectory"] = torch.stack(trajectory)  # [steps + 1, 2, 3, 4, 4]
    tensors["alphas_cumprod"] = scheduler.alphas_cumprod
    save("ddim", tensors, {**shared, "clip_sample_range": 1.0, "eta": 0.0, "model": "v = 0.3 x + 0.1 sin(t / 100)"})
