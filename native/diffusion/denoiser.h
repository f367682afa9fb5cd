// A class-conditional diffusion model: U-Net, noise schedule, and the frozen copy that sampling uses.
// Images are in -1..1; timesteps run from num_train_timesteps - 1 (noise) to 0.
#pragma once

#include <memory>

#include <torch/torch.h>

#include "diffusion/prediction.h"
#include "diffusion/schedule.h"
#include "models/unet.h"

namespace sparring {

struct DenoiserOptions {
  UNetOptions unet;
  int64_t num_classes = 2;
  int64_t image_size = 32;
};

class Denoiser {
 public:
  Denoiser(DenoiserOptions options, at::Device device, uint64_t seed);

  // x_t: [B, 3, H, W], timesteps: [B] int64, classes: [B] int64 (num_classes = null class) -> v [B, 3, H, W] fp32.
  // The trained module; gradients reach its weights.
  at::Tensor forward(const at::Tensor& x_t, const at::Tensor& timesteps, const at::Tensor& classes);

  // Prediction of the frozen copy at one timestep for the whole batch; gradients reach x_t only.
  // guidance_scale 1 is the conditional model alone; above it, classifier-free guidance
  // (Ho & Salimans 2022, arXiv 2207.12598) with both halves in one batch.
  Prediction predict(const at::Tensor& x_t, int64_t timestep, const at::Tensor& classes, double guidance_scale,
                     at::ScalarType dtype);

  void touch() { frozen_ = nullptr; }
  std::shared_ptr<Denoiser> clone() const;

  UNetImpl& module() { return *net_; }
  int64_t null_class() const { return options_.num_classes; }
  const DenoiserOptions& options() const { return options_; }
  const NoiseSchedule& schedule() const { return schedule_; }
  at::Device device() const { return device_; }

 private:
  Denoiser(const Denoiser&) = default;
  UNet copy_network() const;

  DenoiserOptions options_;
  at::Device device_;
  NoiseSchedule schedule_;
  UNet net_{nullptr}, frozen_{nullptr};
  at::ScalarType frozen_dtype_ = at::kFloat;
};

}  // namespace sparring
