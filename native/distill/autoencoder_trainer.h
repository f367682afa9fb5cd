// Trains a VQGAN from scratch (Esser et al. 2020, arXiv 2012.09841): absolute error and perceptual loss of the reconstruction,
// losses of the codebook, and from a certain step on a discriminator of patches.
#pragma once

#include <memory>

#include "distill/augment.h"
#include "distill/classifier_trainer.h"
#include "distill/codebook.h"
#include "distill/perceptual_loss.h"
#include "models/autoencoder.h"
#include "models/patch_discriminator.h"

namespace sparring {

struct AutoencoderTrainerOptions {
  TrainingOptions training;  // of the discriminator too, which has no moving average
  AugmentOptions augment;
  int64_t image_size = 32;
  double perceptual_weight = 1;
  double adversarial_weight = 0;   // times the adaptive weight; 0: no discriminator
  uint64_t adversarial_from = 0;   // first step in which the discriminator is trained and takes part
};

class AutoencoderTrainer {
 public:
  // `perceptual`: empty without that loss.
  AutoencoderTrainer(std::shared_ptr<Autoencoder> autoencoder, PerceptualLoss perceptual, AutoencoderTrainerOptions options);

  // images: [B, H, W, 3] uint8. Changes nothing when it throws.
  StepResult step(const at::Tensor& images, double learning_rate, uint64_t step);

  // All that a resumed training needs, by name, aliasing the live tensors.
  NamedTensors tensors() const;
  void restore(const NamedTensors& saved, const std::string& path) { restore_tensors(tensors(), saved, path); }
  // The averaged autoencoder, or the trained one when there is no average.
  const std::shared_ptr<Autoencoder>& result() const { return ema_ ? ema_ : autoencoder_; }
  const AutoencoderTrainerOptions& options() const { return options_; }
  void touch();

 private:
  struct Judged {
    at::Tensor gradient;  // of the weighted adversarial loss with respect to the reconstruction, [B, 3, H, W]
    at::Tensor loss;      // of the discriminator
    double adversarial = 0, weight = 0;
  };
  template <typename Work>
  at::Tensor autocast(Work work) const;
  Judged judge(const at::Tensor& images, const at::Tensor& reconstruction, const at::Tensor& seen, const at::Tensor& gradient);

  std::shared_ptr<Autoencoder> autoencoder_, ema_;
  PerceptualLoss perceptual_;
  AutoencoderTrainerOptions options_;
  PatchDiscriminator discriminator_{nullptr};
  TrainingState state_;
  std::unique_ptr<TrainingState> discriminator_state_;
  DeadCodes dead_codes_;
};

}  // namespace sparring
