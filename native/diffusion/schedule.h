// The noise schedule: how much of the image is left at each timestep, and which timesteps a sampling run visits, with the
// conventions of diffusers' schedulers.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <torch/torch.h>

namespace sparring {

// Betas by timestep: linear (Ho et al. 2020, arXiv 2006.11239); the square of a linear one (latent diffusion, arXiv
// 2112.10752); or what gives alpha_bar(t) = cos^2((t + 0.008) / 1.008 * pi / 2), beta <= 0.999 (Nichol & Dhariwal 2021,
// arXiv 2102.09672, eq. 17; "squaredcos_cap_v2" in diffusers).
enum class BetaSchedule { linear, scaled_linear, cosine };

// Table 2 of Lin et al. 2023 (arXiv 2305.08891).
enum class Spacing { linspace, leading, trailing };

struct NoiseScheduleOptions {
  int64_t num_train_timesteps = 1000;
  BetaSchedule betas = BetaSchedule::cosine;
  double beta_start = 1e-4;      // linear and scaled_linear
  double beta_end = 0.02;
  bool set_alpha_to_one = true;  // DDIM ends without noise, or at the level of timestep 0
  int64_t steps_offset = 0;      // added to the timesteps of leading spacing
};

class NoiseSchedule {
 public:
  explicit NoiseSchedule(const NoiseScheduleOptions& options = {});

  int64_t num_train_timesteps() const { return options_.num_train_timesteps; }
  const NoiseScheduleOptions& options() const { return options_; }
  // alpha_bar at an integer timestep; below 0, the end of sampling, that of `set_alpha_to_one`.
  double alpha_bar(int64_t timestep) const;
  // The same between timesteps, where sigma = sqrt((1 - alpha_bar) / alpha_bar) is linear.
  double alpha_bar_between(double timestep) const;
  // Timesteps of a sampling run, from noise to image. Throws Error "usage" when there are not that many.
  std::vector<int64_t> timesteps(int64_t steps, Spacing spacing) const;
  // The timestep that follows `timestep` in a run of `steps` steps; negative at the end.
  int64_t next(int64_t timestep, int64_t steps) const { return timestep - num_train_timesteps() / steps; }
  // sqrt(alpha_bar) and sqrt(1 - alpha_bar) at the given timesteps, each [B] fp32.
  std::pair<at::Tensor, at::Tensor> coefficients(const at::Tensor& timesteps) const;

 private:
  NoiseScheduleOptions options_;
  std::vector<double> alphas_cumprod_;
  at::Tensor alphas_table_;  // [num_train_timesteps], double
};

}  // namespace sparring
