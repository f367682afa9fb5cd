// Trains a classifier from labels, or distils a teacher into it; on images and, where there are some, counterparts of them.
#pragma once

#include <memory>
#include <optional>

#include "distill/augment.h"
#include "distill/losses.h"
#include "distill/mixing.h"
#include "distill/online_adversary.h"
#include "distill/training_state.h"
#include "distill/views/view_policy.h"
#include "models/classifier.h"
#include "ops/recorded_function.h"

namespace sparring {

struct ClassifierTrainerOptions {
  TrainingOptions training;
  AugmentOptions augment;
  MixingOptions mixing;
  double temperature = 1;   // of the soft labels
  double label_weight = 0;  // weight of the hard-label term beside distillation
  double image_weight = 1;  // of the distillation term of the images themselves
  double counterpart_weight = 1;                          // of that of their counterparts
  CounterpartTarget target = CounterpartTarget::own;      // what the counterparts learn from the teacher
  Relation relation = Relation::soft_labels;
  std::optional<OnlineAdversaryOptions> online;
  bool head_only = false;   // a linear probe: all below the head stays as it is
  ViewPolicy policy = ViewPolicy::none;
};

// What a step trains on.
struct ClassifierBatch {
  at::Tensor images;        // [B, H, W, 3] uint8
  at::Tensor labels;        // [B] int64
  at::Tensor weights;       // [B] fp32, or undefined: all 1
  at::Tensor counterparts;  // [C, H, W, 3] uint8, other versions of the first C images, or undefined
};

struct StepResult {
  double loss = 0;
  double gradient_norm = 0;
  std::optional<int64_t> correct{};  // of a classifier: predictions equal to the given labels, before the update
  std::vector<std::pair<const char*, double>> terms{};  // of an autoencoder: what its loss consists of
  at::Tensor losses{};               // of a classifier: of each image before it is weighted, [B] fp32 on its device
};

class ClassifierTrainer {
 public:
  // Without a teacher: CE(f(x), y) + counterpart_weight CE(f(x'), y). With one, whose output is t, on the view that the student sees:
  //   label_weight CE(f(x), y) + image_weight D(f(x), t(x)) + counterpart_weight D(f(x'), t(x') or t(x))
  // D as `relation` says; the label of a counterpart does not count, as it may be wrong. With AugMix t sees the unmixed view,
  // and the student is to be consistent over it and the mixed ones. `online` adds weight CE(f(a), y), a an adversary of x, or
  // trains on a alone, or makes the x' in the step.
  ClassifierTrainer(std::shared_ptr<Classifier> student, std::shared_ptr<Classifier> teacher, ClassifierTrainerOptions options);
  ClassifierTrainer(const ClassifierTrainer&) = delete;
  ClassifierTrainer& operator=(const ClassifierTrainer&) = delete;

  // The loss is the sum over the images of weight times loss, with that of the counterpart, divided by B. A counterpart is
  // augmented and mixed as its image is. One that is cancelled while it looks for adversaries has changed nothing.
  StepResult step(const ClassifierBatch& batch, double learning_rate, uint64_t step, const JobContext& job);

  TrainingState& state() { return state_; }
  // The averaged classifier, or the trained one when there is no average.
  const std::shared_ptr<Classifier>& result() const { return ema_ ? ema_ : student_; }
  // After restore(): frozen copies made before it are stale.
  void touch();
  // Whether views are mixtures in several versions.
  bool mixes_versions() const { return options_.policy == ViewPolicy::aug_mix; }
  // Whether its steps are launched as a CUDA graph.
  bool is_recorded() const { return recorded_ && recorded_->is_recorded(); }
  bool takes_counterparts() const { return !mixes_versions() && (!options_.online || options_.online->use == OnlineUse::beside); }

 private:
  // What a step has on the device before any of its losses is known. Where there are counterparts there is one version of the images.
  struct Inputs {
    at::Tensor views;                // [V * B + C, 3, H, W] fp32 in 0..1: the versions of the images, then counterparts
    at::Tensor labels;               // [B] int64
    at::Tensor weights{};            // [B] fp32, or undefined: all 1
    at::Tensor partner{}, share{};   // [B] of mixed views, or undefined
    at::Tensor adversaries{};        // [B, 3, H, W] of the student, or undefined
    at::Tensor places{}, soft_labels{};  // [C] int64, [C, K]: whose the counterparts are and what the teacher says of them, where the step made them
  };
  struct Outcome {
    at::Tensor losses;  // [B]
    Slope slope;        // its other number: correct predictions
  };
  struct Views {
    std::vector<at::Tensor> versions;  // one or, with AugMix, three: [B, 3, H, W] fp32 in 0..1
    std::optional<MixedViews> mixed;   // who is mixed into whom, alike in all versions
  };
  int64_t versions() const { return mixes_versions() ? 3 : 1; }
  Views draw_views(const at::Tensor& images, int64_t counterparts, uint64_t step) const;
  Inputs draw(const ClassifierBatch& batch, uint64_t step) const;
  void make_online(Inputs& inputs, uint64_t step, const JobContext& job);
  OnlineBatch online_batch(const Inputs& inputs, uint64_t step) const;
  // The passes of both networks, a function of tensors alone: on a GPU it is recorded.
  Outcome learn(const Inputs& inputs);
  Outcome learn_recorded(const Inputs& inputs);
  void start_recording();
  at::Tensor teacher_logits(const Inputs& inputs, int64_t counterparts);
  at::Tensor losses_of(const Inputs& inputs, const at::Tensor& logits, const at::Tensor& teacher_logits, int64_t counterparts) const;

  std::shared_ptr<Classifier> student_, teacher_, ema_;
  ClassifierTrainerOptions options_;
  PolicyViews policy_views_;
  TrainingState state_;
  std::optional<RecordedFunction> recorded_;                // learn(), where it can be
  std::shared_ptr<const torch::nn::AnyModule> teacher_copy_;  // that is in it
};

}  // namespace sparring
