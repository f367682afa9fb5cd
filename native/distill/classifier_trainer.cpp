#include "distill/classifier_trainer.h"

#include <algorithm>

#include "distill/losses.h"
#include "ops/autocast.h"

namespace sparring {
namespace {

std::shared_ptr<Classifier> with_trainable(std::shared_ptr<Classifier> classifier, bool head_only) {
  const auto heads = head_names(classifier->options().architecture);
  for (auto& item : classifier->module().named_parameters()) {
    const bool in_head = std::any_of(heads.begin(), heads.end(), [&](const std::string& head) { return item.key().starts_with(head + "."); });
    item.value().requires_grad_(in_head || !head_only);
  }
  return classifier;
}

}  // namespace

ClassifierTrainer::ClassifierTrainer(std::shared_ptr<Classifier> student, std::shared_ptr<Classifier> teacher,
                                     ClassifierTrainerOptions options)
    : student_(with_trainable(std::move(student), options.head_only)),
      teacher_(std::move(teacher)),
      ema_(options.training.ema_decay > 0 ? student_->clone() : nullptr),
      options_(options),
      policy_views_(options.policy, student_->options().image_size),
      state_(student_->module(), ema_ ? &ema_->module() : nullptr, options.training) {}

StepResult ClassifierTrainer::step(const at::Tensor& images, const at::Tensor& labels, const at::Tensor& weights, double learning_rate, uint64_t step) {
  const auto device = student_->device();
  const auto& training = options_.training;
  auto views = policy_views_(augment(images, options_.augment, training.seed, step), training.seed, step);  // each [B, 3, H, W]
  std::optional<MixedViews> mixed;
  if (options_.mixing.any()) {
    for (auto& view : views) view = (mixed = mix(view, options_.mixing, training.seed, step))->images;  // all in the same way
  }
  const auto pixels = views.size() == 1 ? views[0].to(device) : at::cat(views).to(device);  // [views * B, 3, H, W]
  const auto target = labels.to(device);

  at::Tensor teacher_logits;
  if (teacher_) {
    torch::NoGradGuard no_grad;
    teacher_logits = teacher_->forward_frozen(pixels.narrow(0, 0, target.size(0)), training.autocast_bf16 ? at::kBFloat16 : at::kFloat);
  }

  BufferGuard statistics(student_->module());
  student_->module().train(!options_.head_only);  // statistics of batch norms are below the head
  std::vector<at::Tensor> all_logits;
  {
    AutocastGuard autocast(device.type(), training.autocast_bf16);
    all_logits = student_->forward(pixels).chunk(static_cast<int64_t>(views.size()));  // each [B, K] fp32
  }
  const auto& logits = all_logits[0];
  const auto label_loss = [&] { return mixed ? mixed_cross_entropy(logits, target, mixed->partner.to(device), mixed->share.to(device)) : at::cross_entropy_loss(logits, target, {}, at::Reduction::None); };
  at::Tensor losses;  // [B]
  if (teacher_) {
    losses = distillation_loss(logits, teacher_logits, options_.temperature);
    if (options_.label_weight > 0) losses = losses + options_.label_weight * label_loss();
  } else {
    losses = label_loss();
  }
  if (all_logits.size() > 1) losses = losses + kConsistencyWeight * consistency_loss(all_logits);
  const auto loss = (weights.defined() ? weights.to(device) * losses : losses).mean();

  StepResult result;
  result.correct = logits.detach().argmax(1).eq(target).sum().item<int64_t>();
  result.loss = loss.item<double>();
  result.losses = losses.detach();
  result.gradient_norm = state_.apply(loss, learning_rate, step);
  statistics.keep();
  touch();
  return result;
}

void ClassifierTrainer::touch() {
  student_->touch();
  if (ema_) ema_->touch();
}

}  // namespace sparring
