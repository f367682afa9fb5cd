#include "distill/classifier_trainer.h"

#include <algorithm>

#include "ops/autocast.h"
#include "ops/upload.h"

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

ClassifierTrainer::Views ClassifierTrainer::draw_views(const at::Tensor& images, int64_t counterparts, uint64_t step) const {
  const auto seed = options_.training.seed;
  Views views{policy_views_(augment(images, options_.augment, seed, step), seed, step), {}};
  if (!options_.mixing.any()) return views;
  const auto mixed = [&](const at::Tensor& version) {
    if (counterparts == 0 || counterparts == version.size(0)) return mix(version, options_.mixing, seed, step);
    // Images with counterparts are mixed among themselves, so that their counterparts can be mixed in the same way.
    const auto own = mix(version.narrow(0, 0, counterparts), options_.mixing, seed, step);
    const auto others = mix(version.narrow(0, counterparts, version.size(0) - counterparts), options_.mixing, seed, step);
    return MixedViews{at::cat({own.images, others.images}), at::cat({own.partner, others.partner + counterparts}), at::cat({own.share, others.share})};
  };
  for (auto& version : views.versions) version = (views.mixed = mixed(version))->images;  // all in the same way
  return views;
}

// On the device: [B, 3, H, W], [C, 3, H, W] or undefined -> [B + C, K], or of the images alone; undefined without a teacher.
at::Tensor ClassifierTrainer::teacher_logits(const at::Tensor& images, const at::Tensor& counterparts) {
  if (!teacher_) return {};
  torch::NoGradGuard no_grad;
  const auto pixels = counterparts.defined() && options_.target == CounterpartTarget::own ? at::cat({images, counterparts}) : images;
  return teacher_->forward_frozen(pixels, options_.training.autocast_bf16 ? at::kBFloat16 : at::kFloat);
}

// images: [B, 3, H, W], target: [B] classes, both on the device.
OnlineBatch ClassifierTrainer::online_batch(const at::Tensor& images, const at::Tensor& target, const std::optional<MixedViews>& mixed, uint64_t step) const {
  const auto& training = options_.training;
  auto labels = at::one_hot(target, student_->options().num_classes).to(at::kFloat);  // [B, K]
  if (mixed) {
    const auto share = mixed->share.to(images.device()).unsqueeze(1);
    labels = share * labels + (1 - share) * labels.index_select(0, mixed->partner.to(images.device()));
  }
  return {images, labels, training.autocast_bf16, training.seed, step};
}

StepResult ClassifierTrainer::step(const ClassifierBatch& batch, double learning_rate, uint64_t step, const JobContext& job) {
  const auto device = student_->device();
  const auto& training = options_.training;
  const auto count = batch.images.size(0), given_count = batch.counterparts.defined() ? batch.counterparts.size(0) : 0;
  auto [versions, mixed] = draw_views(batch.images, given_count, step);
  if (given_count > 0) versions.push_back(draw_views(batch.counterparts, given_count, step).versions[0]);
  auto drawn = upload(versions.size() == 1 ? versions[0] : at::cat(versions), device);  // [versions * B + C, 3, H, W]
  const auto images = drawn.narrow(0, 0, count);
  const auto target = upload(batch.labels, device);
  const bool online = options_.online.has_value(), instead = online && options_.online->use == OnlineUse::instead, beside = online && options_.online->use == OnlineUse::beside;

  Counterparts counterparts;
  if (given_count > 0) counterparts = {drawn.narrow(0, drawn.size(0) - given_count, given_count), {}, at::arange(given_count, target.options())};
  const auto teacher_logits = this->teacher_logits(images, counterparts.images);  // [B or B + C, K]
  if (online && options_.online->use == OnlineUse::counterparts) {
    counterparts = online_counterparts(*teacher_, online_batch(images, target, mixed, step), *options_.online, job);
    drawn = at::cat({drawn, counterparts.images});
  } else if (teacher_ && given_count > 0 && options_.target == CounterpartTarget::own) {
    counterparts.teacher_logits = teacher_logits.narrow(0, count, given_count);
  }
  const auto counterpart_count = counterparts.images.defined() ? counterparts.images.size(0) : 0;

  BufferGuard statistics(student_->module());
  student_->module().train(!options_.head_only);  // statistics of batch norms are below the head
  const auto adversaries = instead || beside ? online_adversary(*student_, online_batch(images, target, mixed, step), *options_.online, job) : at::Tensor();  // [B, 3, H, W]
  const auto pixels = instead ? adversaries : beside ? at::cat({drawn, adversaries}) : drawn;  // [versions * B + C + (B or 0), 3, H, W]
  at::Tensor all_logits;
  {
    AutocastGuard autocast(device.type(), training.autocast_bf16);
    all_logits = student_->forward(pixels);  // [versions * B + C + (B or 0), K] fp32
  }
  const auto logits = all_logits.narrow(0, 0, count);
  const auto counterpart_logits = all_logits.narrow(0, drawn.size(0) - counterpart_count, counterpart_count);

  const auto label_loss = [&](const at::Tensor& own) {
    const auto first = [&](const at::Tensor& all) { return all.narrow(0, 0, own.size(0)); };
    return mixed ? mixed_cross_entropy(own, first(target), upload(first(mixed->partner), device), upload(first(mixed->share), device))
                 : at::cross_entropy_loss(own, first(target), {}, at::Reduction::None);
  };
  const auto distance = options_.relation == Relation::soft_labels ? distillation_loss : correlation_loss;
  at::Tensor losses;  // [B]
  if (teacher_) {
    losses = options_.image_weight * distance(logits, teacher_logits.narrow(0, 0, count), options_.temperature);
    if (options_.label_weight > 0) losses = losses + options_.label_weight * label_loss(logits);
  } else {
    losses = label_loss(logits);
  }
  if (counterpart_count > 0) {
    const auto taught = [&] { return options_.target == CounterpartTarget::own ? counterparts.teacher_logits : teacher_logits.index_select(0, counterparts.places); };
    const auto own = teacher_ ? distance(counterpart_logits, taught(), options_.temperature) : label_loss(counterpart_logits);
    losses = losses + options_.counterpart_weight * at::zeros_like(losses).index_add(0, counterparts.places, own);
  }
  if (beside) losses = losses + options_.online->weight * label_loss(all_logits.narrow(0, drawn.size(0), count));
  if (mixes_versions()) losses = losses + kConsistencyWeight * consistency_loss(all_logits.narrow(0, 0, 3 * count).chunk(3));
  const auto loss = (batch.weights.defined() ? upload(batch.weights, device) * losses : losses).mean();

  const auto correct = logits.detach().argmax(1).eq(target).sum();
  const auto [value, norm, others] = state_.apply(loss, learning_rate, step, {correct});
  statistics.keep();
  touch();
  return {.loss = value, .gradient_norm = norm, .correct = static_cast<int64_t>(others[0]), .losses = losses.detach()};
}

void ClassifierTrainer::touch() {
  student_->touch();
  if (ema_) ema_->touch();
}

}  // namespace sparring
