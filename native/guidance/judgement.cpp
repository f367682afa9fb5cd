#include "guidance/judgement.h"

#include <algorithm>

namespace sparring {

OpponentLogits judge(const Opponents& opponents, const Objective& objective, const at::Tensor& images, at::ScalarType dtype) {
  const auto pixels = (images + 1) / 2;  // classifiers take 0..1
  OpponentLogits logits;
  if (objective.has_teacher()) logits.teacher = opponents.teacher->forward_frozen(pixels, dtype);
  if (objective.has_student()) logits.student = opponents.student->forward_frozen(pixels, dtype);
  return logits;
}

at::Tensor score_of(const Opponents& opponents, const Objective& objective, const at::Tensor& images, const at::Tensor& classes, at::ScalarType dtype) {
  const auto logits = judge(opponents, objective, images, dtype);
  return objective(logits.teacher, logits.student, classes);
}

Judgement judge_prediction(Denoiser& denoiser, const Opponents& opponents, const JudgingOptions& options, const StepDraws& draws, const at::Tensor& x0,
                           const at::Tensor& classes, at::ScalarType dtype) {
  const auto& [objective, cut, path] = options;
  const auto whole = denoiser.to_images(path.latent_pool == 1 ? x0 : at::avg_pool2d(x0, path.latent_pool), dtype, path.decoder);
  const auto parts = std::max<int64_t>(cut.count, 1);
  const auto seen = cut.count > 0 ? cutouts(whole, cut, draws.seeds, draws.step) : whole;
  const auto wanted = classes.repeat({parts});
  const auto over_parts = [&](const at::Tensor& values) { return values.view({parts, -1}).mean(0); };  // [parts * B] -> [B]
  const auto logits = judge(opponents, objective, seen, dtype);
  const auto score = over_parts(objective(logits.teacher, logits.student, wanted));
  torch::NoGradGuard no_grad;
  return {score, over_parts(objective.reached(logits.teacher, logits.student, wanted)), whole.detach()};
}

}  // namespace sparring
