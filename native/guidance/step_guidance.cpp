#include "guidance/step_guidance.h"

#include <algorithm>
#include <limits>
#include <sstream>

#include "error.h"

namespace sparring {
namespace {

// Weight of the guidance at t (fraction of the training timesteps); 0 outside its interval.
double schedule_weight(const StepGuidanceOptions& options, double t) {
  if (t < options.until || t > options.from) return 0;
  if (options.schedule == GuidanceSchedule::constant) return 1;
  return (t - options.until) / std::max(options.from - options.until, 1e-9);
}

// Per-image root mean square: [B, C, h, w] -> [B, 1, 1, 1]
at::Tensor rms(const at::Tensor& x) { return x.square().mean(at::IntArrayRef{1, 2, 3}, true).sqrt(); }

// The gradient of each image at a length of 1 per element. One of zero (both classifiers saturated) stays zero.
at::Tensor direction_of(const at::Tensor& gradient) { return gradient / rms(gradient).clamp_min(1e-20); }

double fraction_of(const Denoiser& denoiser, const SamplingStep& step) {
  return (step.timestep + 1) / static_cast<double>(denoiser.schedule().num_train_timesteps());
}

}  // namespace

GuidedPrediction guidance_gradient(Denoiser& denoiser, const Opponents& opponents, const JudgingOptions& judging, const StepDraws& draws,
                                   const at::Tensor& x_t, const StepPlace& place, const at::Tensor& classes,
                                   double guidance_scale, at::ScalarType dtype, const ConditionShift& shift) {
  torch::AutoGradMode grad(true);
  auto source = x_t.detach().requires_grad_(judging.path.through_unet);
  auto prediction = denoiser.predict(source, place, classes, guidance_scale, dtype, shift);
  if (!judging.path.through_unet) source = prediction.x0 = prediction.x0.detach().requires_grad_(true);
  const auto judgement = judge_prediction(denoiser, opponents, judging, draws, denoiser.clip(prediction.x0), classes, dtype);
  const auto gradient = torch::autograd::grad({judgement.score.sum()}, {source})[0];
  return {{prediction.x0.detach(), prediction.epsilon.detach()}, gradient, judgement.score.detach(), judgement.reached};
}

at::Tensor cosine_of_gradients(const at::Tensor& a, const at::Tensor& b) {
  const auto product = (direction_of(a) * direction_of(b)).mean(at::IntArrayRef{1, 2, 3});
  const auto both = (a != 0).flatten(1).any(1) & (b != 0).flatten(1).any(1);
  return product.masked_fill(~both, std::numeric_limits<float>::quiet_NaN());
}

void check_guided_steps(const Denoiser& denoiser, const StepGuidanceOptions& guidance, const Sampler& sampler) {
  const auto& steps = sampler.steps();
  const auto is_guided = [&](const SamplingStep& step) {
    const auto t = fraction_of(denoiser, step);
    return t >= guidance.until && t <= guidance.from;
  };
  if (std::any_of(steps.begin(), steps.end(), is_guided)) return;
  std::ostringstream message;
  message << "sampling.guidance: expected a step from " << guidance.until << " (until) to " << guidance.from << " (from), found " << steps.size()
          << " between " << fraction_of(denoiser, steps.back()) << " and " << fraction_of(denoiser, steps.front()) << ".";
  throw Error("config", message.str(), "Nothing would be guided. Take more steps, or a wider interval.");
}

double guidance_weight(const Denoiser& denoiser, const StepGuidanceOptions* guidance, const SamplingStep& step) {
  return guidance ? guidance->scale * schedule_weight(*guidance, fraction_of(denoiser, step)) : 0.0;
}

Prediction guided_at(Denoiser& denoiser, const Opponents& opponents, const JudgingOptions& judging, const StepDraws& draws, const at::Tensor& x_t, const StepPlace& place,
                     const at::Tensor& weight, const at::Tensor& classes, double guidance_scale, at::ScalarType dtype, const ConditionShift& shift,
                     std::vector<at::Tensor>* cosines) {
  const auto guided = guidance_gradient(denoiser, opponents, judging, draws, x_t, place, classes, guidance_scale, dtype, shift);
  if (cosines) {
    auto exact = judging;
    exact.path = {};
    cosines->push_back(cosine_of_gradients(guided.gradient, guidance_gradient(denoiser, opponents, exact, draws, x_t, place, classes, guidance_scale, dtype, shift).gradient));
  }
  const auto direction = direction_of(guided.gradient);
  const auto strength = weight * (1 - guided.reached).view({-1, 1, 1, 1});
  auto prediction = prediction_from(PredictionType::epsilon, guided.prediction.epsilon - strength * direction, x_t, place);
  prediction.x0 = denoiser.clip(prediction.x0);
  return prediction;
}

Prediction plain_at(Denoiser& denoiser, const at::Tensor& x_t, const StepPlace& place, const at::Tensor& classes, double guidance_scale, at::ScalarType dtype,
                    const ConditionShift& shift) {
  torch::NoGradGuard no_grad;
  auto prediction = denoiser.predict(x_t, place, classes, guidance_scale, dtype, shift);
  prediction.x0 = denoiser.clip(prediction.x0);
  return prediction;
}

Prediction guided_prediction(Denoiser& denoiser, const Opponents& opponents, const StepGuidanceOptions* guidance,
                             const at::Tensor& x_t, const SamplingStep& step, const at::Tensor& classes,
                             double guidance_scale, at::ScalarType dtype, const ConditionShift& shift, const StepDraws& draws,
                             std::vector<at::Tensor>* cosines) {
  const auto weight = guidance_weight(denoiser, guidance, step);
  const auto x = x_t.contiguous();  // sums over it are the same in whatever layout it comes, and as in a recorded step
  if (weight == 0) return plain_at(denoiser, x, place_of(step), classes, guidance_scale, dtype, shift);
  return guided_at(denoiser, opponents, guidance->judging, draws, x, place_of(step), at::scalar_tensor(weight, at::kDouble), classes, guidance_scale, dtype, shift, cosines);
}

}  // namespace sparring
