// Samplers: how the predictions of a denoiser lead from noise to an image, one file for each.
//
// x keeps its variance in all of them (x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) epsilon), so it is what the network
// takes. Whether predicted images are clamped is the caller's matter.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "diffusion/prediction.h"
#include "diffusion/schedule.h"

namespace sparring {

enum class SamplerKind { ddim, ddpm, dpm_solver_pp_2m, euler, ddim_inversion };
enum class PosteriorVariance { fixed_small, fixed_large };  // DDPM's beta tilde, or beta

struct SamplerOptions {
  SamplerKind kind = SamplerKind::ddim;
  int64_t steps = 50;
  Spacing spacing = Spacing::trailing;
  double eta = 0;       // of DDIM: 0 is deterministic, 1 has the variance of DDPM
  PosteriorVariance variance = PosteriorVariance::fixed_small;  // of DDPM
  double strength = 1;  // image to image: the share of the steps that is taken, those nearest to the image
};

struct SamplingStep {
  double timestep;        // what the network is told
  double alpha_bar;       // of x before the step
  double next_alpha_bar;  // and after it
};

inline StepPlace place_of(const SamplingStep& step) { return place_of(step.timestep, step.alpha_bar); }

// Standard normal noise for step i, [B, C, H, W] on the device of x.
using NoiseSource = std::function<at::Tensor(size_t i)>;

// Noise that depends on the image's seed and the step alone. sample_shape: [C, H, W]
NoiseSource seeded_noise(std::vector<int64_t> seeds, std::vector<int64_t> sample_shape, at::Device device);

class Sampler {
 public:
  virtual ~Sampler() = default;

  // The run, in order.
  const std::vector<SamplingStep>& steps() const { return steps_; }
  // Image to image: the run starts from these, [B, C, H, W].
  void start_from(at::Tensor images) { images_ = std::move(images); }
  // The run starts with what start() is given, at the noise level of its first step.
  void start_as_given() { as_given_ = true; }
  // Where a run starts: noise alone, or the images with as much noise as the first step expects. noise: [B, C, H, W]
  at::Tensor start(const at::Tensor& noise) const;
  // x after step i. Steps are taken in order, by one sampler for each batch: it may remember earlier predictions.
  virtual at::Tensor step(const at::Tensor& x, const Prediction& prediction, size_t i) = 0;
  // Whether a step depends on more than its own prediction.
  virtual bool remembers() const { return false; }

 protected:
  // The whole run, from which the sampler keeps the share `strength` that is nearest to the image: the last steps, or
  // the first of a run away from it. start_scale: of the noise that a run without an image starts from.
  Sampler(std::vector<SamplingStep> steps, double strength, bool towards_image = true, double start_scale = 1);

  std::vector<SamplingStep> steps_;

 private:
  at::Tensor images_;
  bool as_given_ = false;
  double start_scale_;
  bool partial_ = false;  // steps at the side of the noise are left out
};

// `noise` serves ddim with eta above 0 and ddpm. Throws Error "usage" for options that give no run.
std::unique_ptr<Sampler> make_sampler(const NoiseSchedule& schedule, const SamplerOptions& options, NoiseSource noise = {});

// The run of DDIM backwards: it ends where that of `options` begins. Throws Error "config" unless that is DDIM with eta 0.
SamplerOptions inversion_of(SamplerOptions options);

// Steps from each timestep to the one after it, and from the last to an image without noise.
std::vector<SamplingStep> consecutive_steps(const NoiseSchedule& schedule, const std::vector<double>& timesteps);

// What make_sampler chooses from; `schedule` is read here and not kept.
std::unique_ptr<Sampler> ddim_sampler(const NoiseSchedule& schedule, const SamplerOptions& options, NoiseSource noise);
std::unique_ptr<Sampler> ddim_inversion_sampler(const NoiseSchedule& schedule, const SamplerOptions& options);
std::unique_ptr<Sampler> ddpm_sampler(const NoiseSchedule& schedule, const SamplerOptions& options, NoiseSource noise);
std::unique_ptr<Sampler> dpm_solver_sampler(const NoiseSchedule& schedule, const SamplerOptions& options);
std::unique_ptr<Sampler> euler_sampler(const NoiseSchedule& schedule, const SamplerOptions& options);

}  // namespace sparring
