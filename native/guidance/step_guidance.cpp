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

// What the classifiers see of predicted x0.
at::Tensor judged_images(Denoiser& denoiser, const at::Tensor& x0, const GradientPath& path, at::ScalarType dtype) {
  const auto clipped = denoiser.clip(x0);
  return denoiser.to_images(path.latent_pool == 1 ? clipped : at::avg_pool2d(clipped, path.latent_pool), dtype);
}

// Per-image root mean square: [B, C, h, w] -> [B, 1, 1, 1]
at::Tensor rms(const at::Tensor& x) { return x.square().mean(at::IntArrayRef{1, 2, 3}, true).sqrt(); }

// The gradient of each image at a length of 1 per element. One of zero (both classifiers saturated) stays zero.
at::Tensor direction_of(const at::Tensor& gradient) { return gradient / rms(gradient).clamp_min(1e-20); }

// Cosine of the gradients of each image, [B]; NaN where one is zero. Those of confident classifiers are tiny.
at::Tensor cosine(const at::Tensor& a, const at::Tensor& b) {
  const auto product = (direction_of(a) * direction_of(b)).mean(at::IntArrayRef{1, 2, 3});
  const auto both = (a != 0).flatten(1).any(1) & (b != 0).flatten(1).any(1);
  return product.masked_fill(~both, std::numeric_limits<float>::quiet_NaN());
}

double fraction_of(const Denoiser& denoiser, const SamplingStep& step) {
  return (step.timestep + 1) / static_cast<double>(denoiser.schedule().num_train_timesteps());
}

}  // namespace

OpponentLogits judge(const Opponents& opponents, const Objective& objective, const at::Tensor& images, at::ScalarType dtype) {
  const auto pixels = (images + 1) / 2;  // classifiers take 0..1
  OpponentLogits logits;
  if (objective.has_teacher()) logits.teacher = opponents.teacher->forward_frozen(pixels, dtype);
  if (objective.has_student()) logits.student = opponents.student->forward_frozen(pixels, dtype);
  return logits;
}

GuidedPrediction guidance_gradient(Denoiser& denoiser, const Opponents& opponents, const Objective& objective, const CutoutOptions& cut,
                                   const GradientPath& path, const StepDraws& draws, const at::Tensor& x_t,
                                   const SamplingStep& step, const at::Tensor& classes,
                                   double guidance_scale, at::ScalarType dtype) {
  torch::AutoGradMode grad(true);
  auto source = x_t.detach().requires_grad_(path.through_unet);
  auto prediction = denoiser.predict(source, step.timestep, step.alpha_bar, classes, guidance_scale, dtype);
  if (!path.through_unet) source = prediction.x0 = prediction.x0.detach().requires_grad_(true);
  auto images = judged_images(denoiser, prediction.x0, path, dtype);
  const auto parts = std::max<int64_t>(cut.count, 1);
  if (cut.count > 0) images = cutouts(images, cut, draws.seeds, draws.step);
  const auto wanted = classes.repeat({parts});
  const auto over_parts = [&](const at::Tensor& values) { return values.view({parts, -1}).mean(0); };  // [parts * B] -> [B]
  const auto logits = judge(opponents, objective, images, dtype);
  const auto score = over_parts(objective(logits.teacher, logits.student, wanted));
  const auto gradient = torch::autograd::grad({score.sum()}, {source})[0];
  torch::NoGradGuard no_grad;
  const auto reached = over_parts(objective.reached(logits.teacher, logits.student, wanted));
  return {{prediction.x0.detach(), prediction.epsilon.detach()}, gradient, score.detach(), reached};
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

Prediction guided_prediction(Denoiser& denoiser, const Opponents& opponents, const StepGuidanceOptions* guidance,
                             const at::Tensor& x_t, const SamplingStep& step, const at::Tensor& classes,
                             double guidance_scale, at::ScalarType dtype, const StepDraws& draws, std::vector<at::Tensor>* cosines) {
  const auto weight = guidance ? guidance->scale * schedule_weight(*guidance, fraction_of(denoiser, step)) : 0.0;

  Prediction prediction;
  if (weight != 0) {
    const auto guided = guidance_gradient(denoiser, opponents, guidance->objective, guidance->cutouts, guidance->path, draws, x_t, step, classes, guidance_scale, dtype);
    if (cosines) {
      const auto exact = guidance_gradient(denoiser, opponents, guidance->objective, guidance->cutouts, {}, draws, x_t, step, classes, guidance_scale, dtype);
      cosines->push_back(cosine(guided.gradient, exact.gradient));
    }
    const auto direction = direction_of(guided.gradient);
    const auto strength = weight * (1 - guided.reached).view({-1, 1, 1, 1});
    prediction = prediction_from(PredictionType::epsilon, guided.prediction.epsilon - strength * direction, x_t, step.alpha_bar);
  } else {
    torch::NoGradGuard no_grad;
    prediction = denoiser.predict(x_t, step.timestep, step.alpha_bar, classes, guidance_scale, dtype);
  }
  prediction.x0 = denoiser.clip(prediction.x0);
  return prediction;
}

}  // namespace sparring
