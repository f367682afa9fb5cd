// Attacks on a classifier by the gradient of its cross-entropy. Each returns images [B, 3, H, W] of the ball around `images`
// and of 0..1, without a gradient. Image i depends on the others of its batch in nothing, where
// the network treats images one by one.
#pragma once

#include <vector>

#include "attack/loss_gradient.h"
#include "attack/perturbation.h"
#include "job.h"

namespace sparring {

struct AttackTarget {
  AttackedNetwork network;
  at::Tensor images;           // [B, 3, H, W] fp32 in 0..1
  at::Tensor labels;           // see loss_gradient
  std::vector<int64_t> seeds;  // of the random start of each image, [B]
};

struct AttackOptions {
  Ball ball;
  double random_start = 0;  // probability
  int64_t steps = 1;
  double step_size = 0;  // of pgd
};

// One step of length epsilon (Goodfellow et al. 2015, arXiv 1412.6572).
at::Tensor fgsm(const AttackTarget& target, const Ball& ball);

// Projected gradient ascent (Madry et al. 2018, arXiv 1706.06083): the last of its points.
at::Tensor pgd(const AttackTarget& target, const AttackOptions& options, const JobContext& job);

// Auto-PGD on the cross-entropy (Croce & Hein 2020, arXiv 2003.01690), whose step sizes follow from the number of steps alone.
// Of the points that it visits the one with the highest loss or, where some are misclassified, of those; labels are classes.
at::Tensor apgd(const AttackTarget& target, const AttackOptions& options, const JobContext& job);

}  // namespace sparring
