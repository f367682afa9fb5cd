// Euler's method on the probability flow, Karras et al. 2022 (arXiv 2206.00364): x / sqrt(alpha_bar) moves along epsilon by
// the change of sigma = sqrt((1 - alpha_bar) / alpha_bar). In an x that keeps its variance that is the step of DDIM; the
// timesteps differ, which lie between those of training where linspace puts them there.
#include <cmath>

#include "diffusion/ddim.h"
#include "diffusion/sampler.h"

namespace sparring {
namespace {

std::vector<double> euler_timesteps(const NoiseSchedule& schedule, const SamplerOptions& options) {
  const auto whole = schedule.timesteps(options.steps, options.spacing);
  std::vector<double> timesteps(whole.begin(), whole.end());
  if (options.spacing != Spacing::linspace || options.steps == 1) return timesteps;
  for (int64_t i = 0; i < options.steps; ++i) {
    timesteps[i] = static_cast<double>((options.steps - 1 - i) * (schedule.num_train_timesteps() - 1)) / static_cast<double>(options.steps - 1);
  }
  return timesteps;
}

// diffusers starts from noise of deviation sigma, which leaves out what is left of the image, but for leading spacing.
double start_scale(const NoiseSchedule& schedule, const SamplerOptions& options) {
  if (options.spacing == Spacing::leading) return 1;
  return std::sqrt(1 - schedule.alpha_bar_between(euler_timesteps(schedule, options).front()));
}

class EulerSampler : public Sampler {
 public:
  EulerSampler(const NoiseSchedule& schedule, const SamplerOptions& options)
      : Sampler(consecutive_steps(schedule, euler_timesteps(schedule, options)), options.strength, /*towards_image=*/true, start_scale(schedule, options)) {}

  at::Tensor step(const at::Tensor&, const Prediction& prediction, size_t i) override {
    return ddim_step(prediction, steps_.at(i).next_alpha_bar);
  }
};

}  // namespace

std::unique_ptr<Sampler> euler_sampler(const NoiseSchedule& schedule, const SamplerOptions& options) {
  return std::make_unique<EulerSampler>(schedule, options);
}

}  // namespace sparring
