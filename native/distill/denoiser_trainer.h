// Trains the class-conditional denoiser: mean squared error of v at a uniformly drawn timestep, with the class
// replaced by the null class at random so that the model can also be sampled with classifier-free guidance.
#pragma once

#include <memory>

#include "diffusion/denoiser.h"
#include "distill/augment.h"
#include "distill/classifier_trainer.h"
#include "distill/noising.h"
#include "ops/recorded_function.h"

namespace sparring {

struct DenoiserTrainerOptions {
  TrainingOptions training;
  AugmentOptions augment;
  double label_dropout = 0.1;  // probability of the null class
};

class DenoiserTrainer {
 public:
  DenoiserTrainer(std::shared_ptr<Denoiser> denoiser, DenoiserTrainerOptions options);
  DenoiserTrainer(const DenoiserTrainer&) = delete;
  DenoiserTrainer& operator=(const DenoiserTrainer&) = delete;

  // images: [B, H, W, 3] uint8, labels: [B] int64
  StepResult step(const at::Tensor& images, const at::Tensor& labels, double learning_rate, uint64_t step);

  TrainingState& state() { return state_; }
  const std::shared_ptr<Denoiser>& result() const { return ema_ ? ema_ : denoiser_; }
  void touch();
  // Whether its steps are launched as a CUDA graph.
  bool is_recorded() const { return recorded_ && recorded_->is_recorded(); }

 private:
  // The passes of the network, a function of tensors alone: on a GPU it is recorded.
  Slope learn(const NoisedImages& noised, const at::Tensor& classes) const;

  std::shared_ptr<Denoiser> denoiser_, ema_;
  DenoiserTrainerOptions options_;
  TrainingState state_;
  std::optional<RecordedFunction> recorded_;  // learn(), where it can be
};

}  // namespace sparring
