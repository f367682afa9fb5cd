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

#include "diffusion/denoiser.h"
#include "guidance/cutouts.h"
#include "guidance/objective.h"
#include "models/classifier.h"

namespace sparring {

enum class GuidanceSchedule { constant, linear };  // w(t): 1, or falling linearly from 1 at `from` to 0 at `until`

// How the gradient gets from the classifiers to the noisy image. The default is exact; what is left out otherwise saves time.
struct GradientPath {
  // false: dJ/dx0 in place of dJ/dx_t. It leaves out the Jacobian of the U-Net, and so its backward pass (MPGD, arXiv 2311.16424).
  bool through_unet = true;
  // Predicted latents are averaged over squares of this side before they are decoded for the classifiers.
  int64_t latent_pool = 1;

  bool is_exact() const { return through_unet && latent_pool == 1; }
};

// What the random parts of a step are drawn from.
struct StepDraws {
  at::ArrayRef<int64_t> seeds;  // per image
  uint64_t step = 0;            // in the order in which they are taken
};

struct StepGuidanceOptions {
  Objective objective;
  CutoutOptions cutouts;  // on which the objective is averaged
  GradientPath path;
  double scale = 0.4;
  // Guided while until <= t <= from, in fractions of the training timesteps (1 = pure noise).
  double from = 1.0;
  double until = 0.4;
  GuidanceSchedule schedule = GuidanceSchedule::constant;
};

// The two classifiers between which disagreement is sought. Neither gets gradients or changes.
struct Opponents {
  std::shared_ptr<Classifier> teacher;
  std::shared_ptr<Classifier> student;
};

struct OpponentLogits {
  at::Tensor teacher, student;  // [B, K]; undefined for one that the objective does not ask
};

// What those that the objective asks say of images in -1..1, [B, 3, H, W].
OpponentLogits judge(const Opponents& opponents, const Objective& objective, const at::Tensor& images, at::ScalarType dtype);

struct GuidedPrediction {
  Prediction prediction;  // of the unguided model, detached
  at::Tensor gradient;    // dJ/dx_t, or what `path` puts in its place; [B, C, h, w]
  at::Tensor score;       // J, [B]
  at::Tensor reached;     // r, [B]
};

// Prediction and gradient with one U-Net forward and, on the exact path, one backward to its input.
GuidedPrediction guidance_gradient(Denoiser& denoiser, const Opponents& opponents, const Objective& objective, const CutoutOptions& cut,
                                   const GradientPath& path, const StepDraws& draws, const at::Tensor& x_t,
                                   const SamplingStep& step, const at::Tensor& classes,
                                   double guidance_scale, at::ScalarType dtype);

// Throws Error 'config' when none of the steps lies where it guides.
void check_guided_steps(const Denoiser& denoiser, const StepGuidanceOptions& guidance, const Sampler& sampler);

// What a sampler goes on with at `step`: guided where `guidance` says so, with x0 clipped. Detached. Where it is guided,
// `cosines` gets the cosine of each image's gradient with the exact one, [B], which costs the exact one as well.
Prediction guided_prediction(Denoiser& denoiser, const Opponents& opponents, const StepGuidanceOptions* guidance,
                             const at::Tensor& x_t, const SamplingStep& step, const at::Tensor& classes,
                             double guidance_scale, at::ScalarType dtype, const StepDraws& draws = {}, std::vector<at::Tensor>* cosines = nullptr);

}  // namespace sparring
