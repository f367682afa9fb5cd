// DDIM backwards: the noise from which DDIM with eta 0 gives this image (Song et al. 2020, arXiv 2010.02502, section 4.3).
#include <algorithm>

#include "diffusion/ddim.h"
#include "diffusion/sampler.h"
#include "error.h"

namespace sparring {
namespace {

// The noise levels of DDIM in reverse. The network is told the timestep that a step leads to.
std::vector<SamplingStep> inversion_steps(const NoiseSchedule& schedule, const SamplerOptions& options) {
  if (options.spacing == Spacing::linspace) {
    throw Error("usage", "DDIM inversion: expected leading or trailing spacing, found linspace.");
  }
  auto timesteps = schedule.timesteps(options.steps, options.spacing);
  std::reverse(timesteps.begin(), timesteps.end());
  std::vector<SamplingStep> steps;
  for (const auto t : timesteps) {
    steps.push_back({static_cast<double>(t), schedule.alpha_bar(schedule.next(t, options.steps)), schedule.alpha_bar(t)});
  }
  return steps;
}

class DdimInversionSampler : public Sampler {
 public:
  DdimInversionSampler(const NoiseSchedule& schedule, const SamplerOptions& options)
      : Sampler(inversion_steps(schedule, options), options.strength, /*towards_image=*/false) {}

  at::Tensor step(const at::Tensor&, const Prediction& prediction, size_t i) override {
    return ddim_step(prediction, steps_.at(i).next_alpha_bar);
  }
};

}  // namespace

SamplerOptions inversion_of(SamplerOptions options) {
  if (options.kind != SamplerKind::ddim || options.eta != 0) {
    throw Error("config", "DDIM inversion: expected the sampler ddim with eta 0, found another.", "It finds the noise from which that one gives the image.");
  }
  options.kind = SamplerKind::ddim_inversion;
  return options;
}

std::unique_ptr<Sampler> ddim_inversion_sampler(const NoiseSchedule& schedule, const SamplerOptions& options) {
  return std::make_unique<DdimInversionSampler>(schedule, options);
}

}  // namespace sparring
