// Trains the class-conditional denoiser: mean squared error of v at a uniformly drawn timestep, with the class
// replaced by the null class at random so that the model can also be sampled with classifier-free guidance.
#pragma once

#include <memory>

#include "diffusion/denoiser.h"
#include "distill/augment.h"
#include "distill/classifier_trainer.h"

namespace sparring {

struct DenoiserTrainerOptions {
  TrainingOptions training;
  AugmentOptions augment;
  double label_dropout = 0.1;  // probability of the null class
};

class DenoiserTrainer {
 public:
  DenoiserTrainer(std::shared_ptr<Denoiser> denoiser, DenoiserTrainerOptions options);

  // images: [B, H, W, 3] uint8, labels: [B] int64
  StepResult step(const at::Tensor& images, const at::Tensor& labels, double learning_rate, uint64_t step);

  TrainingState& state() { return state_; }
  const std::shared_ptr<Denoiser>& result() const { return ema_ ? ema_ : denoiser_; }
  void touch();

 private:
  std::shared_ptr<Denoiser> denoiser_, ema_;
  DenoiserTrainerOptions options_;
  TrainingState state_;
};

}  // namespace sparring
