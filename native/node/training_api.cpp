#include <limits>
#include <variant>

#include <torch/torch.h>

#include "distill/autoencoder_trainer.h"
#include "distill/classifier_trainer.h"
#include "distill/condition_trainer.h"
#include "distill/denoiser_trainer.h"
#include "node/api.h"
#include "node/attack_options.h"
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

OnlineAdversaryOptions online_options(const Napi::Object& given, int64_t image_size, at::ScalarType dtype) {
  OnlineAdversaryOptions options;
  const auto use = text(given, "use");
  if (use == "instead") options.use = OnlineUse::instead;
  else if (use == "counterparts") options.use = OnlineUse::counterparts;
  else if (use != "beside") throw Error("usage", "Unknown use of adversaries '" + use + "'; expected beside, instead or counterparts.");
  options.weight = number(given, "weight");
  options.attack = discrete_attack_options(object(given, "attack"));
  if (!given.Get("discretiser").IsNull()) options.discretiser = discretiser(given.Get("discretiser"), image_size, dtype);
  return options;
}

void check_online(const OnlineAdversaryOptions& online, bool has_teacher, ViewPolicy policy) {
  const bool augmix = policy == ViewPolicy::aug_mix;
  if (online.use == OnlineUse::instead && (has_teacher || augmix)) throw Error("usage", "createClassifierTrainer: adversaries take the place of images without a teacher and without AugMix only.");
  if (online.use == OnlineUse::counterparts && (!has_teacher || augmix)) throw Error("usage", "createClassifierTrainer: adversaries are counterparts with a teacher and without AugMix only.");
}

AutoencoderTrainerOptions autoencoder_trainer_options(const Napi::Object& given, const Autoencoder& autoencoder) {
  AutoencoderTrainerOptions options{training_options(given), augment_options(object(given, "augment")), integer(given, "size")};
  options.perceptual_weight = number(given, "perceptualWeight");
  options.adversarial_weight = number(given, "adversarialWeight");
  options.adversarial_from = static_cast<uint64_t>(integer(given, "adversarialFrom"));
  if (options.image_size < 1 || options.image_size % autoencoder.downsampling() != 0) {
    throw Error("config", "Training of an autoencoder: expected images with a side that is a multiple of " + std::to_string(autoencoder.downsampling()) +
                              " pixels, found " + std::to_string(options.image_size) + ".");
  }
  return options;
}

// In the features of a classifier or of LPIPS; empty for null.
PerceptualLoss perceptual_loss_in(const Napi::Value& features, int64_t image_size, at::ScalarType dtype) {
  if (features.IsNull()) return nullptr;
  auto* base = features.IsExternal() ? features.As<Napi::External<HandleBase>>().Data() : nullptr;
  if (dynamic_cast<Handle<LpipsImpl>*>(base)) {
    if (image_size < LpipsImpl::kLeastSide) throw Error("config", c10::str("Training of an autoencoder: LPIPS needs images of at least ", LpipsImpl::kLeastSide, " px, found ", image_size, " px."));
    return perceptual_loss(unwrap<LpipsImpl>(features, "LPIPS"));
  }
  const auto classifier = unwrap<Classifier>(features, "classifier");
  if (classifier->options().image_size != image_size) {
    throw Error("config", c10::str("Training of an autoencoder: the classifier takes images of ", classifier->options().image_size, " px, the autoencoder ", image_size, " px."));
  }
  return perceptual_loss(classifier, dtype);
}

// What of a trainer is saved: one state, or the trainer itself where it has several.
AutoencoderTrainer& state_of(AutoencoderTrainer& trainer) { return trainer; }
TrainingState& state_of(auto& trainer) { return trainer.state(); }
int64_t image_size_of(const AutoencoderTrainer& trainer) { return trainer.options().image_size; }
int64_t image_size_of(const auto& trainer) { return trainer.result()->options().image_size; }
int64_t num_classes_of(const AutoencoderTrainer&) { return std::numeric_limits<int32_t>::max(); }  // it takes no notice of them
int64_t num_classes_of(const auto& trainer) { return trainer.result()->options().num_classes; }

bool is_recorded_step(const auto& trainer) {
  if constexpr (requires { trainer.is_recorded(); }) return trainer.is_recorded();
  return false;
}

// A trainer of any kind, for the verbs that treat all alike.
struct AnyTrainer {
  std::variant<std::shared_ptr<ClassifierTrainer>, std::shared_ptr<DenoiserTrainer>, std::shared_ptr<ConditionTrainer>,
               std::shared_ptr<AutoencoderTrainer>>
      trainer;

  NamedTensors tensors() const {
    return std::visit([](const auto& own) { return state_of(*own).tensors(); }, trainer);
  }
  void restore(const NamedTensors& saved, const std::string& path) const {
    std::visit([&](const auto& own) { state_of(*own).restore(saved, path); }, trainer);
  }
  void touch() const {
    std::visit([](const auto& own) { own->touch(); }, trainer);
  }
  bool is_recorded() const {
    return std::visit([](const auto& own) { return is_recorded_step(*own); }, trainer);
  }
  int64_t image_size() const {
    return std::visit([](const auto& own) { return image_size_of(*own); }, trainer);
  }
  int64_t num_classes() const {
    return std::visit([](const auto& own) { return num_classes_of(*own); }, trainer);
  }
  void check_counterparts(int64_t counterparts, int64_t images) const {
    if (counterparts > images) throw Error("usage", "trainStep: there must not be more counterparts than images.");
    if (!std::get<std::shared_ptr<ClassifierTrainer>>(trainer)->takes_counterparts()) throw Error("usage", "trainStep: there are no counterparts of AugMix's views and where adversaries are made in place of images or of counterparts.");
  }
  bool is_classifier() const { return std::holds_alternative<std::shared_ptr<ClassifierTrainer>>(trainer); }
  // weights and counterparts: of a classifier's images, else undefined
  StepResult step(const ClassifierBatch& batch, double learning_rate, uint64_t step, const JobContext& job) const {
    if (const auto* classifier = std::get_if<std::shared_ptr<ClassifierTrainer>>(&trainer)) return (*classifier)->step(batch, learning_rate, step, job);
    if (const auto* denoiser = std::get_if<std::shared_ptr<DenoiserTrainer>>(&trainer)) return (*denoiser)->step(batch.images, batch.labels, learning_rate, step);
    if (const auto* autoencoder = std::get_if<std::shared_ptr<AutoencoderTrainer>>(&trainer)) return (*autoencoder)->step(batch.images, learning_rate, step);
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
  if (dynamic_cast<Handle<AutoencoderTrainer>*>(base)) return {unwrap<AutoencoderTrainer>(value, "trainer")};
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
    if (has("online")) {
      options.online = online_options(object(given, "online"), student->options().image_size, precision(given));
    }
    if (has("headOnly")) options.head_only = boolean(given, "headOnly");
    if (has("policy")) options.policy = view_policy(given);
    if (options.online) check_online(*options.online, teacher != nullptr, options.policy);
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

  // createAutoencoderTrainer(autoencoder, classifier | LPIPS | null, options)
  api.add_async("createAutoencoderTrainer", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto autoencoder = unwrap<Autoencoder>(info[0], "autoencoder");
    const auto given = info[2].As<Napi::Object>();
    const auto options = autoencoder_trainer_options(given, *autoencoder);
    if ((options.perceptual_weight > 0) == info[1].IsNull()) throw Error("usage", "Training of an autoencoder: expected a classifier or LPIPS where the perceptual weight is above 0, and none otherwise.");
    return [autoencoder, options, perceptual = perceptual_loss_in(info[1], options.image_size, precision(given))](const JobContext&) -> Finish {
      auto trainer = std::make_shared<AutoencoderTrainer>(autoencoder, perceptual, options);
      return [trainer](Napi::Env env) { return wrap(env, trainer); };
    };
  });

  // trainStep(trainer, images, labels, {learningRate, step, weights?, counterparts?, losses?}, control) -> {loss, gradientNorm, correct?, terms?, losses?}
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
            step = static_cast<uint64_t>(integer(options, "step"))](const JobContext& job) -> Finish {
      const auto result = trainer.step(batch, learning_rate, step, job);
      const auto each = losses ? result.losses.to(at::kCPU) : at::Tensor();
      return [result, each](Napi::Env env) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("loss", result.loss);
        object.Set("gradientNorm", result.gradient_norm);
        if (result.correct) object.Set("correct", static_cast<double>(*result.correct));
        if (!result.terms.empty()) {
          auto terms = Napi::Object::New(env);
          for (const auto& [name, value] : result.terms) terms.Set(name, value);
          object.Set("terms", terms);
        }
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

  // trainerIsRecorded(trainer): whether its steps are CUDA graphs by now
  api.add_sync("trainerIsRecorded", [](const Napi::CallbackInfo& info) -> Napi::Value { return Napi::Boolean::New(info.Env(), any_trainer(info[0]).is_recorded()); });

  api.add_async("saveTrainer", 2, [](const Napi::CallbackInfo& info) -> Work {
    return [trainer = any_trainer(info[0]), path = info[1].ToString().Utf8Value()](const JobContext&) -> Finish {
      write_safetensors(path, trainer.tensors(), {{"sparring.kind", "training-state"}});
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });

  api.add_async("loadTrainer", 2, [](const Napi::CallbackInfo& info) -> Work {
    return [trainer = any_trainer(info[0]), path = info[1].ToString().Utf8Value()](const JobContext&) -> Finish {
      trainer.restore(read_safetensors(path).tensors, path);
      trainer.touch();
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });
}

}  // namespace sparring::node
