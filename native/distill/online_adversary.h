// Adversaries of the student that it learns from as it is in this step: discrete ones (DAT, Mao et al. 2022, arXiv 2209.07735) or,
// without a VQGAN, plain ones (adversarial training, Madry et al. 2018, arXiv 1706.06083).
#pragma once

#include <memory>
#include <optional>

#include "attack/discrete_adversary.h"
#include "models/classifier.h"

namespace sparring {

struct OnlineAdversaryOptions {
  double weight = 1;                   // of the cross-entropy on them
  bool instead = false;                // whether they take the place of the images
  DiscreteAttackOptions attack;        // as for images of 224 px with a VQGAN; without one its `search`, as it is
  std::shared_ptr<Autoencoder> vqgan;  // null: a plain attack
};

// images: [B, 3, H, W] fp32 in 0..1 on the student's device; labels: see AttackTarget -> the same images, moved. The student is
// attacked as it trains, with the statistics of this batch, and is left as it was.
at::Tensor online_adversary(Classifier& student, const at::Tensor& images, const at::Tensor& labels, const OnlineAdversaryOptions& options, bool autocast_bf16, uint64_t seed, uint64_t step);

}  // namespace sparring
