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
      state_(student_->module(), ema_ ? &ema_->module() : nullptr, options.training) {
  if (has_graphs(student_->device()) && !(teacher_ && teacher_->is_script())) start_recording();  // TorchScript's interpreter may do anything
}

void ClassifierTrainer::start_recording() {
  const auto function = [this](const std::vector<at::Tensor>& all) {
    const auto [losses, slope] = learn({all[0], all[1], all[2], all[3], all[4]});
    auto results = slope.list();
    results.push_back(losses);
    return results;
  };
  recorded_.emplace(function, student_->device());
  teacher_copy_ = nullptr;
}

ClassifierTrainer::Outcome ClassifierTrainer::learn_recorded(const Inputs& inputs) {
  // The recording has the teacher's frozen copy at its address.
  if (teacher_copy_ && teacher_->frozen_copy() != teacher_copy_) start_recording();
  // The number of counterparts differs from step to step, and the search for adversaries takes longer than what could be recorded.
  if (inputs.views.size(0) != versions() * inputs.labels.size(0) || inputs.adversaries.defined()) return learn(inputs);
  auto results = (*recorded_)({inputs.views, inputs.labels, inputs.weights, inputs.partner, inputs.share});
  if (teacher_) teacher_copy_ = teacher_->frozen_copy();
  const auto losses = results.back().clone();
  results.pop_back();
  return {losses, Slope::of(results)};
}

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

ClassifierTrainer::Inputs ClassifierTrainer::draw(const ClassifierBatch& batch, uint64_t step) const {
  const auto counterparts = batch.counterparts.defined() ? batch.counterparts.size(0) : 0;
  auto [versions, mixed] = draw_views(batch.images, counterparts, step);
  if (counterparts > 0) versions.push_back(draw_views(batch.counterparts, counterparts, step).versions[0]);
  const auto brought = [&](const at::Tensor& tensor) { return tensor.defined() ? upload(tensor, student_->device()) : tensor; };
  Inputs inputs{brought(versions.size() == 1 ? versions[0] : at::cat(versions)), brought(batch.labels), brought(batch.weights)};
  if (mixed) {
    inputs.partner = brought(mixed->partner);
    inputs.share = brought(mixed->share);
  }
  return inputs;
}

// What online adversaries add to what a step has, whose student is as it trains.
void ClassifierTrainer::make_online(Inputs& inputs, uint64_t step, const JobContext& job) {
  const auto batch = online_batch(inputs, step);
  if (options_.online->use != OnlineUse::counterparts) {
    inputs.adversaries = online_adversary(*student_, batch, *options_.online, job);
    return;
  }
  const auto made = online_counterparts(*teacher_, batch, *options_.online, job);
  inputs.views = at::cat({inputs.views, made.images});
  inputs.places = made.places;
  inputs.soft_labels = made.teacher_logits;
}

OnlineBatch ClassifierTrainer::online_batch(const Inputs& inputs, uint64_t step) const {
  const auto& training = options_.training;
  auto labels = at::one_hot(inputs.labels, student_->options().num_classes).to(at::kFloat);  // [B, K]
  if (inputs.share.defined()) {
    const auto share = inputs.share.unsqueeze(1);
    labels = share * labels + (1 - share) * labels.index_select(0, inputs.partner);
  }
  return {inputs.views.narrow(0, 0, inputs.labels.size(0)), labels, training.autocast_bf16, training.seed, step};
}

ClassifierTrainer::Outcome ClassifierTrainer::learn(const Inputs& inputs) {
  const torch::AutoGradMode gradients(true);
  const auto count = inputs.labels.size(0), counterparts = inputs.views.size(0) - versions() * count;
  const auto logits_of_teacher = teacher_logits(inputs, counterparts);
  const bool instead = options_.online && options_.online->use == OnlineUse::instead;
  const auto pixels = instead ? inputs.adversaries : inputs.adversaries.defined() ? at::cat({inputs.views, inputs.adversaries}) : inputs.views;
  at::Tensor logits;
  {
    AutocastGuard autocast(student_->device().type(), options_.training.autocast_bf16);
    logits = student_->forward(pixels);  // [V * B + C + (B or 0), K] fp32
  }
  const auto losses = losses_of(inputs, logits, logits_of_teacher, counterparts);  // [B]
  const auto loss = (inputs.weights.defined() ? inputs.weights * losses : losses).mean();
  const auto correct = logits.detach().narrow(0, 0, count).argmax(1).eq(inputs.labels).sum();
  return {losses.detach(), state_.slope(loss, {correct})};
}

// -> [B], or [B + C] with that of the counterparts, where it is their own and is not known; undefined without a teacher.
at::Tensor ClassifierTrainer::teacher_logits(const Inputs& inputs, int64_t counterparts) {
  if (!teacher_) return {};
  torch::NoGradGuard no_grad;
  const bool all = counterparts > 0 && !inputs.soft_labels.defined() && options_.target == CounterpartTarget::own;
  const auto pixels = all ? inputs.views : inputs.views.narrow(0, 0, inputs.labels.size(0));
  return teacher_->forward_frozen(pixels, options_.training.autocast_bf16 ? at::kBFloat16 : at::kFloat);
}

// logits: [V * B + C + (B or 0), K] -> [B]
at::Tensor ClassifierTrainer::losses_of(const Inputs& inputs, const at::Tensor& logits, const at::Tensor& teacher_logits, int64_t counterparts) const {
  const auto count = inputs.labels.size(0);
  const auto own = logits.narrow(0, 0, count);
  const auto label_loss = [&](const at::Tensor& some) {
    const auto first = [&](const at::Tensor& all) { return all.narrow(0, 0, some.size(0)); };
    return inputs.share.defined() ? mixed_cross_entropy(some, first(inputs.labels), first(inputs.partner), first(inputs.share))
                                  : at::cross_entropy_loss(some, first(inputs.labels), {}, at::Reduction::None);
  };
  const auto distance = options_.relation == Relation::soft_labels ? distillation_loss : correlation_loss;
  at::Tensor losses;
  if (teacher_) {
    losses = options_.image_weight * distance(own, teacher_logits.narrow(0, 0, count), options_.temperature);
    if (options_.label_weight > 0) losses = losses + options_.label_weight * label_loss(own);
  } else {
    losses = label_loss(own);
  }
  if (counterparts > 0) {
    const auto places = inputs.places.defined() ? inputs.places : at::arange(counterparts, inputs.labels.options());
    const auto taught = [&] {
      if (options_.target == CounterpartTarget::image) return teacher_logits.index_select(0, places);
      return inputs.soft_labels.defined() ? inputs.soft_labels : teacher_logits.narrow(0, count, counterparts);
    };
    const auto theirs = logits.narrow(0, versions() * count, counterparts);
    const auto apart = teacher_ ? distance(theirs, taught(), options_.temperature) : label_loss(theirs);
    losses = losses + options_.counterpart_weight * at::zeros_like(losses).index_add(0, places, apart);
  }
  if (options_.online && options_.online->use == OnlineUse::beside) losses = losses + options_.online->weight * label_loss(logits.narrow(0, inputs.views.size(0), count));
  if (mixes_versions()) losses = losses + kConsistencyWeight * consistency_loss(logits.narrow(0, 0, versions() * count).chunk(versions()));
  return losses;
}

StepResult ClassifierTrainer::step(const ClassifierBatch& batch, double learning_rate, uint64_t step, const JobContext& job) {
  std::optional<RecordingStream> stream;
  if (recorded_) stream.emplace(student_->device());
  auto inputs = draw(batch, step);

  BufferGuard statistics(student_->module());
  student_->module().train(!options_.head_only);  // statistics of batch norms are below the head
  if (options_.online) make_online(inputs, step, job);
  const auto outcome = recorded_ ? learn_recorded(inputs) : learn(inputs);
  const auto [value, norm, others] = state_.descend(outcome.slope, learning_rate, step);
  statistics.keep();
  touch();
  return {.loss = value, .gradient_norm = norm, .correct = static_cast<int64_t>(others[0]), .losses = outcome.losses};
}

void ClassifierTrainer::touch() {
  student_->touch();
  if (ema_) ema_->touch();
}

}  // namespace sparring
