// Trains a classifier from labels, or distils a teacher into it.
#pragma once

#include <memory>
#include <optional>

#include "distill/augment.h"
#include "distill/mixing.h"
#include "distill/training_state.h"
#include "distill/views/view_policy.h"
#include "models/classifier.h"

namespace sparring {

struct ClassifierTrainerOptions {
  TrainingOptions training;
  AugmentOptions augment;
  MixingOptions mixing;
  double temperature = 1;   // of the soft labels
  double label_weight = 0;  // weight of the hard-label term beside distillation
  bool head_only = false;   // a linear probe: all below the head stays as it is
  ViewPolicy policy = ViewPolicy::none;
};

struct StepResult {
  double loss = 0;
  double gradient_norm = 0;
  std::optional<int64_t> correct;  // of a classifier: predictions equal to the given labels, before the update
  std::vector<std::pair<const char*, double>> terms;  // of an autoencoder: what its loss consists of
  at::Tensor losses;               // of a classifier: of each image before it is weighted, [B] fp32 on its device
};

class ClassifierTrainer {
 public:
  // Without a teacher: cross-entropy to the labels. With one: soft cross-entropy to its output on the same view. With
  // AugMix that is the unmixed view, and the student is to be consistent over it and the mixed ones.
  ClassifierTrainer(std::shared_ptr<Classifier> student, std::shared_ptr<Classifier> teacher, ClassifierTrainerOptions options);

  // images: [B, H, W, 3] uint8, labels: [B] int64, weights: [B] fp32 or undefined (all 1). The loss is the sum of weight
  // times loss over the images, divided by B.
  StepResult step(const at::Tensor& images, const at::Tensor& labels, const at::Tensor& weights, double learning_rate, uint64_t step);

  TrainingState& state() { return state_; }
  // The averaged classifier, or the trained one when there is no average.
  const std::shared_ptr<Classifier>& result() const { return ema_ ? ema_ : student_; }
  // After restore(): frozen copies made before it are stale.
  void touch();

 private:
  std::shared_ptr<Classifier> student_, teacher_, ema_;
  ClassifierTrainerOptions options_;
  PolicyViews policy_views_;
  TrainingState state_;
};

}  // namespace sparring
