#include "guidance/step_guidance.h"

namespace sparring {
namespace {

// Weight of the guidance at t (fraction of the training timesteps); 0 outside its interval.
double schedule_weight(const StepGuidanceOptions& options, double t) {
  if (t < options.until || t > options.from) return 0;
  if (options.schedule == GuidanceSchedule::constant) return 1;
  return (t - options.until) / std::max(options.from - options.until, 1e-9);
}

// Cosine of the gradients of each image, [B].
at::Tensor cosine(const at::Tensor& a, const at::Tensor& b) { return at::cosine_similarity(a.flatten(1).to(at::kFloat), b.flatten(1).to(at::kFloat), 1); }

// What the classifiers see of predicted x0.
at::Tensor judged_images(Denoiser& denoiser, const at::Tensor& x0, const GradientPath& path, at::ScalarType dtype) {
  const auto clipped = denoiser.clip(x0);
  return denoiser.to_images(path.latent_pool == 1 ? clipped : at::avg_pool2d(clipped, path.latent_pool), dtype);
}

// Per-image root mean square: [B, C, h, w] -> [B, 1, 1, 1]
at::Tensor rms(const at::Tensor& x) { return x.square().mean(at::IntArrayRef{1, 2, 3}, true).sqrt(); }

}  // namespace

OpponentLogits judge(const Opponents& opponents, const Objective& objective, const at::Tensor& images, at::ScalarType dtype) {
  const auto pixels = (images + 1) / 2;  // classifiers take 0..1
  OpponentLogits logits;
  if (objective.has_teacher()) logits.teacher = opponents.teacher->forward_frozen(pixels, dtype);
  if (objective.has_student()) logits.student = opponents.student->forward_frozen(pixels, dtype);
  return logits;
}

GuidedPrediction guidance_gradient(Denoiser& denoiser, const Opponents& opponents, const Objective& objective, const GradientPath& path,
                                   const at::Tensor& x_t, const SamplingStep& step, const at::Tensor& classes,
                                   double guidance_scale, at::ScalarType dtype) {
  torch::AutoGradMode grad(true);
  auto source = x_t.detach().requires_grad_(path.through_unet);
  auto prediction = denoiser.predict(source, step.timestep, step.alpha_bar, classes, guidance_scale, dtype);
  if (!path.through_unet) source = prediction.x0 = prediction.x0.detach().requires_grad_(true);
  const auto logits = judge(opponents, objective, judged_images(denoiser, prediction.x0, path, dtype), dtype);
  const auto score = objective(logits.teacher, logits.student, classes);
  const auto gradient = torch::autograd::grad({score.sum()}, {source})[0];
  torch::NoGradGuard no_grad;
  const auto reached = objective.reached(logits.teacher, logits.student, classes);
  return {{prediction.x0.detach(), prediction.epsilon.detach()}, gradient, score.detach(), reached};
}

Prediction guided_prediction(Denoiser& denoiser, const Opponents& opponents, const StepGuidanceOptions* guidance,
                             const at::Tensor& x_t, const SamplingStep& step, const at::Tensor& classes,
                             double guidance_scale, at::ScalarType dtype, std::vector<at::Tensor>* cosines) {
  const auto t = (step.timestep + 1) / static_cast<double>(denoiser.schedule().num_train_timesteps());
  const auto weight = guidance ? guidance->scale * schedule_weight(*guidance, t) : 0.0;

  Prediction prediction;
  if (weight != 0) {
    const auto guided = guidance_gradient(denoiser, opponents, guidance->objective, guidance->path, x_t, step, classes, guidance_scale, dtype);
    if (cosines) {
      const auto exact = guidance_gradient(denoiser, opponents, guidance->objective, {}, x_t, step, classes, guidance_scale, dtype);
      cosines->push_back(cosine(guided.gradient, exact.gradient));
    }
    // A gradient of zero (both classifiers saturated) leaves the image unguided instead of dividing by zero.
    const auto direction = guided.gradient / rms(guided.gradient).clamp_min(1e-20);
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
