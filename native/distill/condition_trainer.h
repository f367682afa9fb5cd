// Textual inversion (Gal et al. 2022, arXiv 2208.01618): what a generator is told of each class is learned from images of the
// class by the loss of diffusion, squared error at a uniformly drawn timestep, and the network stays as it is. New ones
// begin at those of the null class, which stand for no class, or at the mean of all where there is none.
#pragma once

#include <memory>

#include "diffusion/denoiser.h"
#include "distill/augment.h"
#include "distill/classifier_trainer.h"

namespace sparring {

struct ConditionTrainerOptions {
  TrainingOptions training;  // without a moving average
  AugmentOptions augment;
};

class ConditionTrainer {
 public:
  // `denoiser` is one with_own_conditions().
  ConditionTrainer(std::shared_ptr<Denoiser> denoiser, ConditionTrainerOptions options);

  // images: [B, H, W, 3] uint8, labels: [B] int64
  StepResult step(const at::Tensor& images, const at::Tensor& labels, double learning_rate, uint64_t step);

  TrainingState& state() { return state_; }
  const std::shared_ptr<Denoiser>& result() const { return denoiser_; }
  // Hands over what was learned.
  void touch();

 private:
  // The one thing that is trained, [num_classes, ...], under the key "classes".
  struct ClassConditions : torch::nn::Module {
    explicit ClassConditions(const Denoiser& denoiser);
    at::Tensor classes;
  };

  at::Tensor table() const;  // [rows, ...]

  std::shared_ptr<Denoiser> denoiser_;
  ConditionTrainerOptions options_;
  at::Tensor null_;  // [1, ...] of the null class, or [0, ...]
  std::shared_ptr<ClassConditions> learned_;
  TrainingState state_;
};

}  // namespace sparring
