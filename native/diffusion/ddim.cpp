#include "diffusion/ddim.h"

#include <algorithm>
#include <cmath>

#include "diffusion/sampler.h"

namespace sparring {
namespace {

std::vector<SamplingStep> ddim_steps(const NoiseSchedule& schedule, const SamplerOptions& options) {
  std::vector<SamplingStep> steps;
  for (const auto t : schedule.timesteps(options.steps, options.spacing)) {
    steps.push_back({static_cast<double>(t), schedule.alpha_bar(t), schedule.alpha_bar(schedule.next(t, options.steps))});
  }
  return steps;
}

class DdimSampler : public Sampler {
 public:
  DdimSampler(const NoiseSchedule& schedule, const SamplerOptions& options, NoiseSource noise)
      : Sampler(ddim_steps(schedule, options), options.strength), eta_(options.eta), noise_(std::move(noise)) {}

  at::Tensor step(const at::Tensor&, const Prediction& prediction, size_t i) override {
    const auto [timestep, alpha_bar, next_alpha_bar] = steps_.at(i);
    if (eta_ == 0) return ddim_step(prediction, next_alpha_bar);
    // Eq. 16.
    const auto sigma = eta_ * std::sqrt((1 - next_alpha_bar) / (1 - alpha_bar) * (1 - alpha_bar / next_alpha_bar));
    return ddim_step(prediction, next_alpha_bar, sigma, noise_(i));
  }

 private:
  double eta_;
  NoiseSource noise_;
};

}  // namespace

at::Tensor ddim_step(const Prediction& prediction, double next_alpha_bar, double sigma, const at::Tensor& noise) {
  const auto direction = std::sqrt(std::max(1 - next_alpha_bar - sigma * sigma, 0.0));
  const auto x = std::sqrt(next_alpha_bar) * prediction.x0 + direction * prediction.epsilon;
  return noise.defined() ? x + sigma * noise : x;
}

std::unique_ptr<Sampler> ddim_sampler(const NoiseSchedule& schedule, const SamplerOptions& options, NoiseSource noise) {
  return std::make_unique<DdimSampler>(schedule, options, std::move(noise));
}

}  // namespace sparring
