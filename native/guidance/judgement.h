// What the two classifiers say of an image that the generator predicts, and how the gradient gets from them to it.
#pragma once

#include <memory>

#include "diffusion/denoiser.h"
#include "guidance/cutouts.h"
#include "guidance/objective.h"
#include "models/classifier.h"

namespace sparring {

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
// J of whole images, [B].
at::Tensor score_of(const Opponents& opponents, const Objective& objective, const at::Tensor& images, const at::Tensor& classes, at::ScalarType dtype);

// The default is exact; what is left out otherwise saves time.
struct GradientPath {
  // false: dJ/dx0 in place of dJ/dx_t. It leaves out the Jacobian of the U-Net, and so its backward pass (MPGD, arXiv 2311.16424).
  bool through_unet = true;
  // Predicted latents are averaged over squares of this side before they are decoded for the classifiers.
  int64_t latent_pool = 1;
  Decoder decoder = Decoder::own;  // with which they are

  bool is_exact() const { return through_unet && latent_pool == 1 && decoder == Decoder::own; }
};

// How a predicted x0 is judged.
struct JudgingOptions {
  Objective objective;
  CutoutOptions cutouts;  // on which the objective is averaged
  GradientPath path;
};

// What the cutouts are drawn from.
struct StepDraws {
  at::ArrayRef<int64_t> seeds;  // per image
  uint64_t step = 0;            // in the order in which they are taken
};

struct Judgement {
  at::Tensor score;    // J, [B]; the mean over the cutouts, as `reached`
  at::Tensor reached;  // see Objective::reached, [B], detached
  at::Tensor images;   // what was judged, before it was cut: [B, 3, H, W], detached
};

// x0: [B, C, h, w], as sampling goes on with it; gradients reach it.
Judgement judge_prediction(Denoiser& denoiser, const Opponents& opponents, const JudgingOptions& options, const StepDraws& draws, const at::Tensor& x0,
                           const at::Tensor& classes, at::ScalarType dtype);

}  // namespace sparring
