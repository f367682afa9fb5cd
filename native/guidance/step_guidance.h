// Guidance per denoising step: the gradient of the confidence objective at the predicted x0, taken with respect
// to x_t through the U-Net, changes the predicted noise before the sampler's step.
//
//   J(x_t)    = objective(teacher(x0(x_t)), student(x0(x_t)), y),   x0 as an image in -1..1
//   epsilon'  = epsilon - scale * w(t) * (1 - r) * g / rms(g),      g = dJ/dx_t, rms per image,
//                                                                   r = max(0, t_y - f_y); t_y or 1 - f_y for one term alone
//
// The score is -epsilon / sigma, so a step along +g is a subtraction from epsilon. Normalising per image makes
// `scale` independent of how saturated the two classifiers are. The factor 1 - r ends the push where the
// goal is reached: a gradient that is nearly zero, brought to full length, would only distort the image.
#pragma once

#include "guidance/judgement.h"

namespace sparring {

enum class GuidanceSchedule { constant, linear };  // w(t): 1, or falling linearly from 1 at `from` to 0 at `until`

struct StepGuidanceOptions {
  JudgingOptions judging;
  double scale = 0.4;
  // Guided while until <= t <= from, in fractions of the training timesteps (1 = pure noise).
  double from = 1.0;
  double until = 0.4;
  GuidanceSchedule schedule = GuidanceSchedule::constant;
};

struct GuidedPrediction {
  Prediction prediction;  // of the unguided model, detached
  at::Tensor gradient;    // dJ/dx_t, or what judging.path puts in its place; [B, C, h, w]
  at::Tensor score;       // J, [B]
  at::Tensor reached;     // r, [B]
};

// Prediction and gradient with one U-Net forward and, on the exact path, one backward to its input.
GuidedPrediction guidance_gradient(Denoiser& denoiser, const Opponents& opponents, const JudgingOptions& judging, const StepDraws& draws,
                                   const at::Tensor& x_t, const StepPlace& place, const at::Tensor& classes,
                                   double guidance_scale, at::ScalarType dtype, const ConditionShift& shift = {});

// Weight of the guidance at a step; 0 where there is none.
double guidance_weight(const Denoiser& denoiser, const StepGuidanceOptions* guidance, const SamplingStep& step);

// What guided_prediction() gives where there is guidance, of this weight without dimensions, and where there is none.
Prediction guided_at(Denoiser& denoiser, const Opponents& opponents, const JudgingOptions& judging, const StepDraws& draws, const at::Tensor& x_t, const StepPlace& place,
                     const at::Tensor& weight, const at::Tensor& classes, double guidance_scale, at::ScalarType dtype, const ConditionShift& shift = {},
                     std::vector<at::Tensor>* cosines = nullptr);
Prediction plain_at(Denoiser& denoiser, const at::Tensor& x_t, const StepPlace& place, const at::Tensor& classes, double guidance_scale, at::ScalarType dtype,
                    const ConditionShift& shift = {});

// Throws Error 'config' when none of the steps lies where it guides.
void check_guided_steps(const Denoiser& denoiser, const StepGuidanceOptions& guidance, const Sampler& sampler);

// The cosine of the gradients of each image, [B]; NaN where one is zero: those of confident classifiers are tiny.
at::Tensor cosine_of_gradients(const at::Tensor& a, const at::Tensor& b);

// What a sampler goes on with at `step`: guided where `guidance` says so, with x0 clipped. Detached. Where it is guided,
// `cosines` gets the cosine of each image's gradient with the exact one, [B], which costs the exact one as well.
Prediction guided_prediction(Denoiser& denoiser, const Opponents& opponents, const StepGuidanceOptions* guidance,
                             const at::Tensor& x_t, const SamplingStep& step, const at::Tensor& classes,
                             double guidance_scale, at::ScalarType dtype, const ConditionShift& shift = {}, const StepDraws& draws = {},
                             std::vector<at::Tensor>* cosines = nullptr);

}  // namespace sparring
