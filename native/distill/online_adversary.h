// Adversaries that are made in a step of training, of the views that it trains on: of the student as it is in this step, discrete ones (DAT,
// Mao et al. 2022, arXiv 2209.07735) or, without a discretiser, plain ones (adversarial training, Madry et al. 2018, arXiv 1706.06083); or
// discrete ones of the teacher (DAD, Zhou et al. 2023, arXiv 2311.01441), in place of such as were made beforehand.
#pragma once

#include "attack/discrete_adversary.h"
#include "models/classifier.h"

namespace sparring {

enum class OnlineUse {
  beside,        // of the student, whose cross-entropy on them counts too
  instead,       // of the student, in place of the images
  counterparts,  // of the teacher, as counterparts of the images
};

struct OnlineAdversaryOptions {
  OnlineUse use = OnlineUse::beside;
  double weight = 1;                   // of the cross-entropy on those beside the images
  DiscreteAttackOptions attack;        // as for images of 224 px with a discretiser; without one its `search`, as it is
  Discretiser discretiser;             // empty: a plain attack
};

// What an attack begins with. images: [B, 3, H, W] fp32 in 0..1 on the device of who is attacked; labels: see AttackTarget.
struct OnlineBatch {
  at::Tensor images, labels;
  bool autocast_bf16;
  uint64_t seed, step;  // of the random starts
};

// -> the same images, moved. The student is attacked as it trains, with the statistics of this batch, and is left as it was.
at::Tensor online_adversary(Classifier& student, const OnlineBatch& batch, const OnlineAdversaryOptions& options, const JobContext& job);

struct Counterparts {
  at::Tensor images;          // [C, 3, H, W]
  at::Tensor teacher_logits;  // of them, [C, K]
  at::Tensor places;          // of their images in the batch, [C] int64
};

// Those of which the teacher still says what it is to say, as DAD keeps no others: the class, of soft labels [B, K] the one with the
// largest share.
Counterparts online_counterparts(Classifier& teacher, const OnlineBatch& batch, const OnlineAdversaryOptions& options, const JobContext& job);

}  // namespace sparring
