#include <variant>

#include <torch/torch.h>

#include "distill/classifier_trainer.h"
#include "distill/condition_trainer.h"
#include "distill/denoiser_trainer.h"
#include "node/api.h"
#include "node/augment_options.h"
#include "node/view_policy.h"
#include "node/values.h"

namespace sparring::node {
namespace {

MixingOptions mixing_options(const Napi::Object& options) {
  const auto mixing = object(options, "mixing");
  return {number(mixing, "cutMix"), number(mixing, "mixUp")};
}

TrainingOptions training_options(const Napi::Object& options) {
  const auto optimizer = object(options, "optimizer");
  TrainingOptions result;
  result.optimizer.kind = text(optimizer, "kind") == "sgd" ? OptimizerOptions::Kind::sgd : OptimizerOptions::Kind::adamw;
  result.optimizer.beta1 = number(optimizer, "beta1");
  result.optimizer.beta2 = number(optimizer, "beta2");
  result.optimizer.momentum = number(optimizer, "momentum");
  result.optimizer.weight_decay = number(optimizer, "weightDecay");
  result.clip_norm = number(options, "clipNorm");
  result.ema_decay = number(options, "emaDecay");
  result.autocast_bf16 = precision(options) == at::kBFloat16;
  result.seed = static_cast<uint64_t>(integer(options, "seed"));
  return result;
}

// A trainer of any kind, for the verbs that treat all alike.
struct AnyTrainer {
  std::variant<std::shared_ptr<ClassifierTrainer>, std::shared_ptr<DenoiserTrainer>, std::shared_ptr<ConditionTrainer>> trainer;

  TrainingState& state() const {
    return std::visit([](const auto& own) -> TrainingState& { return own->state(); }, trainer);
  }
  void touch() const {
    std::visit([](const auto& own) { own->touch(); }, trainer);
  }
  int64_t image_size() const {
    return std::visit([](const auto& own) { return own->result()->options().image_size; }, trainer);
  }
  int64_t num_classes() const {
    return std::visit([](const auto& own) { return own->result()->options().num_classes; }, trainer);
  }
  void check_counterparts(int64_t counterparts, int64_t images) const {
    if (counterparts > images) throw Error("usage", "trainStep: there must not be more counterparts than images.");
    if (std::get<std::shared_ptr<ClassifierTrainer>>(trainer)->mixes_versions()) throw Error("usage", "trainStep: AugMix has no views for counterparts.");
  }
  bool is_classifier() const { return std::holds_alternative<std::shared_ptr<ClassifierTrainer>>(trainer); }
  // weights and counterparts: of a classifier's images, else undefined
  StepResult step(const ClassifierBatch& batch, double learning_rate, uint64_t step) const {
    if (const auto* classifier = std::get_if<std::shared_ptr<ClassifierTrainer>>(&trainer)) return (*classifier)->step(batch, learning_rate, step);
    if (const auto* denoiser = std::get_if<std::shared_ptr<DenoiserTrainer>>(&trainer)) return (*denoiser)->step(batch.images, batch.labels, learning_rate, step);
    return std::get<std::shared_ptr<ConditionTrainer>>(trainer)->step(batch.images, batch.labels, learning_rate, step);
  }
};

// Finite and not negative, one for each image: [B] fp32.
at::Tensor step_weights(const Napi::Value& value, int64_t batch) {
  const auto weights = floats(value, {-1});
  if (weights.size(0) != batch) throw Error("usage", "trainStep: as many weights as images are needed.");
  if (!weights.isfinite().logical_and(weights.ge(0)).all().item<bool>()) throw Error("usage", "trainStep: weights must be finite and not negative.");
  return weights;
}

AnyTrainer any_trainer(const Napi::Value& value) {
  auto* base = value.IsExternal() ? value.As<Napi::External<HandleBase>>().Data() : nullptr;
  if (dynamic_cast<Handle<DenoiserTrainer>*>(base)) return {unwrap<DenoiserTrainer>(value, "trainer")};
  if (dynamic_cast<Handle<ConditionTrainer>*>(base)) return {unwrap<ConditionTrainer>(value, "trainer")};
  return {unwrap<ClassifierTrainer>(value, "trainer")};
}

}  // namespace

void register_training(Api& api) {
  // createClassifierTrainer(student, teacher | null, options)
  api.add_async("createClassifierTrainer", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto student = unwrap<Classifier>(info[0], "student");
    const auto teacher = info[1].IsNull() ? nullptr : unwrap<Classifier>(info[1], "teacher");
    if (teacher && teacher->options().num_classes != student->options().num_classes) {
      throw Error("config", "Teacher and student must have the same classes: the teacher has " + std::to_string(teacher->options().num_classes) +
                                ", the student " + std::to_string(student->options().num_classes) + ".");
    }
    if (teacher && teacher->options().image_size != student->options().image_size) {
      throw Error("config", "Teacher and student must take the same images: the teacher takes " + std::to_string(teacher->options().image_size) +
                                " px, the student " + std::to_string(student->options().image_size) + " px.");
    }
    const auto given = info[2].As<Napi::Object>();
    const auto has = [&](const char* name) { return !given.Get(name).IsUndefined(); };
    ClassifierTrainerOptions options;
    options.training = training_options(given);
    options.augment = augment_options(object(given, "augment"));
    options.mixing = mixing_options(given);
    options.temperature = number(given, "temperature");
    options.label_weight = number(given, "labelWeight");
    if (has("imageWeight")) options.image_weight = number(given, "imageWeight");
    if (has("relation")) options.relation = text(given, "relation") == "correlations" ? Relation::correlations : Relation::soft_labels;
    if (has("counterparts")) {
      const auto counterparts = object(given, "counterparts");
      options.counterpart_weight = number(counterparts, "weight");
      options.target = text(counterparts, "target") == "image" ? CounterpartTarget::image : CounterpartTarget::own;
    }
    if (has("headOnly")) options.head_only = boolean(given, "headOnly");
    if (has("policy")) options.policy = view_policy(given);
    return [student, teacher, options](const JobContext&) -> Finish {
      auto trainer = std::make_shared<ClassifierTrainer>(student, teacher, options);
      return [trainer](Napi::Env env) { return wrap(env, trainer); };
    };
  });

  // createDenoiserTrainer(denoiser, options)
  api.add_async("createDenoiserTrainer", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto given = info[1].As<Napi::Object>();
    DenoiserTrainerOptions options{training_options(given), augment_options(object(given, "augment")), number(given, "labelDropout")};
    return [denoiser = unwrap<Denoiser>(info[0], "denoiser"), options](const JobContext&) -> Finish {
      auto trainer = std::make_shared<DenoiserTrainer>(denoiser, options);
      return [trainer](Napi::Env env) { return wrap(env, trainer); };
    };
  });

  // createConditionTrainer(denoiser, options): of one that ownConditions() gave
  api.add_async("createConditionTrainer", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto given = info[1].As<Napi::Object>();
    ConditionTrainerOptions options{training_options(given), augment_options(object(given, "augment"))};
    return [denoiser = unwrap<Denoiser>(info[0], "generator"), options](const JobContext&) -> Finish {
      auto trainer = std::make_shared<ConditionTrainer>(denoiser, options);
      return [trainer](Napi::Env env) { return wrap(env, trainer); };
    };
  });

  // trainStep(trainer, images, labels, {learningRate, step, weights?, counterparts?, losses?}, control) -> {loss, gradientNorm, correct?, losses?}
  api.add_async("trainStep", 4, [](const Napi::CallbackInfo& info) -> Work {
    const auto trainer = any_trainer(info[0]);
    const auto options = info[3].As<Napi::Object>();
    ClassifierBatch batch{images(info[1], trainer.image_size()), labels(info[2], trainer.num_classes()), {}, {}};
    const auto count = batch.images.size(0);
    if (count != batch.labels.size(0)) throw Error("usage", "trainStep: as many labels as images are needed.");
    if (const auto weights = options.Get("weights"); !weights.IsUndefined()) batch.weights = step_weights(weights, count);
    if (const auto counterparts = options.Get("counterparts"); !counterparts.IsUndefined()) batch.counterparts = images(counterparts, trainer.image_size());
    const auto losses = !options.Get("losses").IsUndefined() && boolean(options, "losses");
    if (!trainer.is_classifier() && (batch.weights.defined() || batch.counterparts.defined() || losses)) {
      throw Error("usage", "trainStep: weights, counterparts and losses of single images are for classifiers.");
    }
    if (batch.counterparts.defined()) trainer.check_counterparts(batch.counterparts.size(0), count);
    return [trainer, batch, losses, learning_rate = number(options, "learningRate"),
            step = static_cast<uint64_t>(integer(options, "step"))](const JobContext&) -> Finish {
      const auto result = trainer.step(batch, learning_rate, step);
      const auto each = losses ? result.losses.to(at::kCPU) : at::Tensor();
      return [result, each](Napi::Env env) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("loss", result.loss);
        object.Set("gradientNorm", result.gradient_norm);
        if (result.correct) object.Set("correct", static_cast<double>(*result.correct));
        if (each.defined()) object.Set("losses", to_float32_array(env, each));
        return object;
      };
    };
  });

  // trainedModel(trainer) -> the averaged model, or the trained one without an average
  api.add_sync("trainedModel", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const auto trainer = any_trainer(info[0]);
    return std::visit([&](const auto& own) { return wrap(info.Env(), own->result()); }, trainer.trainer);
  });

  api.add_async("saveTrainer", 2, [](const Napi::CallbackInfo& info) -> Work {
    return [trainer = any_trainer(info[0]), path = info[1].ToString().Utf8Value()](const JobContext&) -> Finish {
      write_safetensors(path, trainer.state().tensors(), {{"sparring.kind", "training-state"}});
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });

  api.add_async("loadTrainer", 2, [](const Napi::CallbackInfo& info) -> Work {
    return [trainer = any_trainer(info[0]), path = info[1].ToString().Utf8Value()](const JobContext&) -> Finish {
      trainer.state().restore(read_safetensors(path).tensors, path);
      trainer.touch();
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });
}

}  // namespace sparring::node
