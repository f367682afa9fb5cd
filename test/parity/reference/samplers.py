"""diffusers' schedulers: whole trajectories of a model that any language can write down, tanh(x / 2 + sin(t / 100))."""

from types import SimpleNamespace

import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler
from diffusers.schedulers import scheduling_ddpm, scheduling_euler_discrete

from .common import save

# Each of the three beta schedules comes with other ends.
BETAS = {
    "linear": dict(beta_schedule="linear", steps_offset=0),
    "scaled_linear": dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1),
    "squaredcos_cap_v2": dict(beta_schedule="squaredcos_cap_v2", steps_offset=2),
}
ALPHA = {"linear": True, "scaled_linear": False, "squaredcos_cap_v2": True}
PREDICTIONS = ("epsilon", "v_prediction", "sample")
# Name: class, its options, and eta.
SAMPLERS = {
    "ddim": (DDIMScheduler, dict(clip_sample=False), 0),
    "ddim_eta": (DDIMScheduler, dict(clip_sample=True, clip_sample_range=1.5), 0.6),
    "ddim_inversion": (DDIMInverseScheduler, dict(clip_sample=False), 0),
    "ddpm": (DDPMScheduler, dict(clip_sample=True), 0),
    "ddpm_large": (DDPMScheduler, dict(clip_sample=False, variance_type="fixed_large"), 0),
    "dpm_solver": (DPMSolverMultistepScheduler, {}, 0),
    "euler": (EulerDiscreteScheduler, {}, 0),
}
SHAPE = (2, 3, 2, 2)


def trajectory(scheduler, steps, eta, noise, step_noise, image=None, strength=1.0):
    """Timesteps, and the model's input before each step with the result."""
    scheduling_euler_discrete.torch = torch
    scheduler.set_timesteps(steps)
    first = steps - int(steps * strength)  # as the image-to-image pipelines have it
    timesteps = scheduler.timesteps[first:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    x = noise * scheduler.init_noise_sigma if image is None else scheduler.add_noise(image, noise, timesteps[:1])
    # Euler's steps are differences of large numbers: at the start of the cosine schedule (sigma is 20000) fp32, to which
    # diffusers casts, leaves four digits.
    scheduling_euler_discrete.torch = SimpleNamespace(**{**vars(torch), "float32": torch.float64})
    if isinstance(scheduler, EulerDiscreteScheduler):
        x, scheduler.sigmas = x.double(), scheduler.sigmas.double()
    draws = iter(step_noise)
    scheduling_ddpm.randn_tensor = lambda *_, **__: next(draws)
    inputs = []
    for t in timesteps:
        inputs.append(scheduler.scale_model_input(x, t))
        output = torch.tanh(inputs[-1] / 2 + torch.sin(t / 100.0))
        options = dict(eta=eta, variance_noise=next(draws)) if eta else {}
        x = scheduler.step(output, t, x, **options).prev_sample
    return timesteps.float(), torch.stack([*inputs, x]).float()  # [steps + 1, *SHAPE]


def make():
    torch.manual_seed(70)
    steps = 7  # does not divide 1000
    tensors = {"noise": torch.randn(SHAPE), "image": torch.randn(SHAPE).clamp(-1, 1), "step_noise": torch.randn(20, *SHAPE)}
    given = tensors["noise"], tensors["step_noise"]
    runs = {}

    def run(key, scheduler_class, options, steps, eta, **more):
        timesteps, x = trajectory(scheduler_class(**options), steps, eta, *given, **more)
        assert x.isfinite().all(), key
        tensors[f"{key}.timesteps"], tensors[f"{key}.trajectory"] = timesteps, x
        strength = more.get("strength", 1.0)
        runs[key] = {"scheduler": {"_class_name": scheduler_class.__name__, **options}, "steps": steps, "eta": eta, "strength": strength}

    for name, (scheduler_class, options, eta) in SAMPLERS.items():
        inverts, chooses_end = name == "ddim_inversion", name.startswith("ddim")
        for betas, schedule in BETAS.items():
            for prediction in PREDICTIONS:
                for spacing in ("leading", "trailing") if inverts else ("linspace", "leading", "trailing"):
                    every = dict(**options, **schedule, prediction_type=prediction, timestep_spacing=spacing)
                    if chooses_end:  # an image without noise says nothing of the noise of a network that predicts the image
                        every["set_alpha_to_one"] = ALPHA[betas] and not (inverts and prediction == "sample")
                    run(f"{name}.{betas}.{prediction}.{spacing}", scheduler_class, every, steps, eta)
        # What Stable Diffusion 1.x says and leaves out, with the defaults of each class.
        every = dict(**options, **BETAS["scaled_linear"], **(dict(set_alpha_to_one=False) if chooses_end else {}))
        run(f"{name}.stable_diffusion", scheduler_class, every, 20, eta)
        if not inverts:
            run(f"{name}.image_to_image", scheduler_class, every, 9, eta, image=tensors["image"], strength=0.6)
    for betas, schedule in BETAS.items():
        tensors[f"alphas_cumprod.{betas}"] = DDIMScheduler(**schedule).alphas_cumprod
    save("samplers", tensors, {"runs": runs, "model": "tanh(x / 2 + sin(t / 100))"})
