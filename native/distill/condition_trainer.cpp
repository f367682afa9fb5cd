#include "distill/condition_trainer.h"

#include "distill/noising.h"
#include "ops/upload.h"
#include "error.h"

namespace sparring {
namespace {

std::shared_ptr<Denoiser> with_changeable(std::shared_ptr<Denoiser> denoiser) {
  if (!denoiser->has_own_conditions()) throw Error("usage", "Training of conditions: expected a generator with conditions of its own, found another.");
  return denoiser;
}

}  // namespace

ConditionTrainer::ClassConditions::ClassConditions(const Denoiser& denoiser) {
  const auto given = denoiser.conditions().detach();
  const auto count = denoiser.options().num_classes;
  const auto begin = denoiser.has_null_class() ? given.narrow(0, count, 1) : given.mean(0, /*keepdim=*/true);  // [1, ...]
  auto shape = given.sizes().vec();
  shape[0] = count;
  classes = register_parameter("classes", begin.expand(shape).clone());
}

ConditionTrainer::ConditionTrainer(std::shared_ptr<Denoiser> denoiser, ConditionTrainerOptions options)
    : denoiser_(with_changeable(std::move(denoiser))),
      options_(options),
      null_(denoiser_->conditions().slice(0, denoiser_->options().num_classes).detach().clone()),
      learned_(std::make_shared<ClassConditions>(*denoiser_)),
      state_(*learned_, nullptr, options.training) {
  if (options_.training.ema_decay != 0) throw Error("usage", "Training of conditions: expected no moving average.");
  touch();
}

at::Tensor ConditionTrainer::table() const { return at::cat({learned_->classes, null_}); }

StepResult ConditionTrainer::step(const at::Tensor& images, const at::Tensor& labels, double learning_rate, uint64_t step) {
  const auto& training = options_.training;
  const auto device = denoiser_->device();
  const auto dtype = training.autocast_bf16 ? at::kBFloat16 : at::kFloat;
  const auto views = upload(augment(images, options_.augment, training.seed, step) * 2 - 1, device);  // [B, 3, H, W] in -1..1
  const auto [x_t, timesteps, target] = noised(*denoiser_, denoiser_->from_images(views, dtype), training.seed, step);

  denoiser_->set_conditions(table());
  const auto loss = at::mse_loss(denoiser_->forward_frozen(x_t, timesteps, upload(labels, device), dtype), target);
  try {
    const auto [value, norm, others] = state_.descend(state_.slope(loss), learning_rate, step);
    touch();
    return {.loss = value, .gradient_norm = norm};
  } catch (...) {
    touch();  // without the graph of the step that failed
    throw;
  }
}

void ConditionTrainer::touch() { denoiser_->set_conditions(table().detach()); }

}  // namespace sparring
