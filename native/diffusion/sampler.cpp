#include "diffusion/sampler.h"

#include <cmath>
#include <string>

#include "error.h"
#include "ops/random.h"
#include "ops/upload.h"

namespace sparring {
namespace {

void require(bool fits, const char* problem) {
  if (!fits) throw Error("usage", std::string("Sampler: ") + problem);
}

// How many of `steps` steps image to image takes at this strength.
size_t steps_at(size_t steps, double strength) { return static_cast<size_t>(static_cast<double>(steps) * strength); }

}  // namespace

NoiseSource seeded_noise(std::vector<int64_t> seeds, std::vector<int64_t> sample_shape, at::Device device) {
  return [seeds = std::move(seeds), sample_shape = std::move(sample_shape), device](size_t i) {
    return upload(seeded_normal(seeds, sample_shape, Stream::sampling_noise, i), device);
  };
}

Sampler::Sampler(std::vector<SamplingStep> steps, double strength, bool towards_image, double start_scale)
    : steps_(std::move(steps)), start_scale_(start_scale) {
  const auto left_out = static_cast<std::ptrdiff_t>(steps_.size() - steps_at(steps_.size(), strength));
  partial_ = left_out > 0;
  if (towards_image) {
    steps_.erase(steps_.begin(), steps_.begin() + left_out);
  } else {
    steps_.erase(steps_.end() - left_out, steps_.end());
  }
}

at::Tensor Sampler::start(const at::Tensor& noise) const {
  if (as_given_) return noise;
  if (!images_.defined()) {
    if (partial_) throw Error("usage", "Sampler: with a strength below 1 the run starts from an image.");
    return start_scale_ * noise;
  }
  const auto alpha_bar = steps_.front().alpha_bar;
  return std::sqrt(alpha_bar) * images_ + std::sqrt(1 - alpha_bar) * noise;
}

std::vector<SamplingStep> consecutive_steps(const NoiseSchedule& schedule, const std::vector<double>& timesteps) {
  std::vector<SamplingStep> steps;
  for (const auto t : timesteps) {
    const auto alpha_bar = schedule.alpha_bar_between(t);
    if (!steps.empty()) steps.back().next_alpha_bar = alpha_bar;
    steps.push_back({t, alpha_bar, 1.0});
  }
  return steps;
}

std::unique_ptr<Sampler> make_sampler(const NoiseSchedule& schedule, const SamplerOptions& options, NoiseSource noise) {
  require(options.eta >= 0 && options.eta <= 1, "eta must be from 0 to 1.");
  require(options.strength > 0 && options.strength <= 1, "strength must be above 0 and at most 1.");
  require(options.steps >= 1 && steps_at(static_cast<size_t>(options.steps), options.strength) >= 1,
          "steps and strength leave no step; take more steps, or a higher strength.");
  const bool draws = options.kind == SamplerKind::ddpm || (options.kind == SamplerKind::ddim && options.eta > 0);
  TORCH_CHECK(!draws || noise, "make_sampler: a stochastic sampler needs a source of noise");
  switch (options.kind) {
    case SamplerKind::ddim:
      return ddim_sampler(schedule, options, std::move(noise));
    case SamplerKind::ddim_inversion:
      return ddim_inversion_sampler(schedule, options);
    case SamplerKind::ddpm:
      return ddpm_sampler(schedule, options, std::move(noise));
    case SamplerKind::dpm_solver_pp_2m:
      return dpm_solver_sampler(schedule, options);
    default:
      return euler_sampler(schedule, options);
  }
}

}  // namespace sparring
