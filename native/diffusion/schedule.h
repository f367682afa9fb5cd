// The noise schedule and the DDIM step on it, with the conventions of diffusers' DDIMScheduler:
// squaredcos_cap_v2 betas, 1000 training timesteps, trailing or leading spacing, final alpha 1, eta 0.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/torch.h>

namespace sparring {

enum class Spacing { trailing, leading };

class NoiseSchedule {
 public:
  // Nichol & Dhariwal 2021 (arXiv 2102.09672), eq. 17: alpha_bar(t) = cos^2((t + 0.008) / 1.008 * pi / 2), beta <= 0.999.
  static NoiseSchedule cosine(int64_t num_train_timesteps = 1000);

  int64_t num_train_timesteps() const { return static_cast<int64_t>(alphas_cumprod_.size()); }
  // alpha_bar at an integer timestep; 1 (no noise) below 0, the end of sampling.
  double alpha_bar(int64_t timestep) const { return timestep < 0 ? 1.0 : alphas_cumprod_[timestep]; }
  // Timesteps of a sampling run, from noise to image.
  std::vector<int64_t> timesteps(int64_t steps, Spacing spacing) const;
  // The timestep that follows `timestep` in a run of `steps` steps; negative at the end.
  int64_t next(int64_t timestep, int64_t steps) const { return timestep - num_train_timesteps() / steps; }
  // sqrt(alpha_bar) and sqrt(1 - alpha_bar) at the given timesteps, each [B] fp32.
  std::pair<at::Tensor, at::Tensor> coefficients(const at::Tensor& timesteps) const;

 private:
  std::vector<double> alphas_cumprod_;
  at::Tensor alphas_table_;  // [num_train_timesteps], double
};

// What a denoiser says about x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) epsilon.
struct Prediction {
  at::Tensor x0;       // [B, C, H, W]
  at::Tensor epsilon;  // [B, C, H, W]
};

// v-prediction (Salimans & Ho 2022, arXiv 2202.00512): v = sqrt(alpha_bar) epsilon - sqrt(1 - alpha_bar) x0.
Prediction from_v(const at::Tensor& x_t, const at::Tensor& v, double alpha_bar);
// x0 that goes with x_t and a (guided) epsilon.
at::Tensor x0_from_epsilon(const at::Tensor& x_t, const at::Tensor& epsilon, double alpha_bar);
// DDIM, eq. 12 of Song et al. 2020 (arXiv 2010.02502) with eta = 0.
at::Tensor ddim_step(const Prediction& prediction, double next_alpha_bar);

}  // namespace sparring
