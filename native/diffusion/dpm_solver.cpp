// DPM-Solver++ 2M, Lu et al. 2022 (arXiv 2211.01095), algorithm 2, in the midpoint form. The first step and the last one,
// which leads to an image without noise, are of first order.
#include <cmath>

#include "diffusion/sampler.h"

namespace sparring {
namespace {

std::vector<SamplingStep> dpm_solver_steps(const NoiseSchedule& schedule, const SamplerOptions& options) {
  // diffusers spaces one timestep more and leaves out the last, but for trailing spacing.
  const bool trailing = options.spacing == Spacing::trailing;
  auto timesteps = schedule.timesteps(trailing ? options.steps : options.steps + 1, options.spacing);
  if (!trailing) timesteps.pop_back();
  return consecutive_steps(schedule, {timesteps.begin(), timesteps.end()});
}

// Half of the log signal-to-noise ratio.
double lambda(double alpha_bar) { return 0.5 * std::log(alpha_bar / (1 - alpha_bar)); }

class DpmSolverSampler : public Sampler {
 public:
  DpmSolverSampler(const NoiseSchedule& schedule, const SamplerOptions& options)
      : Sampler(dpm_solver_steps(schedule, options), options.strength) {}

  at::Tensor step(const at::Tensor& x, const Prediction& prediction, size_t i) override {
    const auto [timestep, alpha_bar, next_alpha_bar] = steps_.at(i);
    const auto h = lambda(next_alpha_bar) - lambda(alpha_bar);
    auto x0 = prediction.x0;
    if (i > 0 && i + 1 < steps_.size()) {
      const auto previous_h = lambda(alpha_bar) - lambda(steps_[i - 1].alpha_bar);
      x0 = x0 + 0.5 * h / previous_h * (x0 - previous_x0_);
    }
    previous_x0_ = prediction.x0;
    return std::sqrt((1 - next_alpha_bar) / (1 - alpha_bar)) * x - std::sqrt(next_alpha_bar) * std::expm1(-h) * x0;
  }
  bool remembers() const override { return true; }

 private:
  at::Tensor previous_x0_;
};

}  // namespace

std::unique_ptr<Sampler> dpm_solver_sampler(const NoiseSchedule& schedule, const SamplerOptions& options) {
  return std::make_unique<DpmSolverSampler>(schedule, options);
}

}  // namespace sparring
