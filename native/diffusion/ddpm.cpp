// Ancestral sampling, Ho et al. 2020 (arXiv 2006.11239), eq. 6 and 7, also on part of the timesteps.
#include <cmath>

#include "diffusion/sampler.h"

namespace sparring {
namespace {

std::vector<SamplingStep> ddpm_steps(const NoiseSchedule& schedule, const SamplerOptions& options) {
  const auto timesteps = schedule.timesteps(options.steps, options.spacing);
  return consecutive_steps(schedule, {timesteps.begin(), timesteps.end()});
}

class DdpmSampler : public Sampler {
 public:
  DdpmSampler(const NoiseSchedule& schedule, const SamplerOptions& options, NoiseSource noise)
      : Sampler(ddpm_steps(schedule, options), options.strength), variance_(options.variance), noise_(std::move(noise)) {}

  at::Tensor step(const at::Tensor& x, const Prediction& prediction, size_t i) override {
    const auto [timestep, alpha_bar, next_alpha_bar] = steps_.at(i);
    const auto alpha = alpha_bar / next_alpha_bar, beta = 1 - alpha;
    const auto shrink = (1 - next_alpha_bar) / (1 - alpha_bar);
    const auto mean = std::sqrt(next_alpha_bar) * beta / (1 - alpha_bar) * prediction.x0 + std::sqrt(alpha) * shrink * x;
    if (timestep == 0) return mean;
    const auto variance = variance_ == PosteriorVariance::fixed_large ? beta : shrink * beta;
    return mean + std::sqrt(variance) * noise_(i);
  }

 private:
  PosteriorVariance variance_;
  NoiseSource noise_;
};

}  // namespace

std::unique_ptr<Sampler> ddpm_sampler(const NoiseSchedule& schedule, const SamplerOptions& options, NoiseSource noise) {
  return std::make_unique<DdpmSampler>(schedule, options, std::move(noise));
}

}  // namespace sparring
