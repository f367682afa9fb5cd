// The discrete adversary of DAD (Zhou et al. 2023, arXiv 2311.01441) and DAT (Mao et al. 2022, arXiv 2209.07735): an image is
// discretised, moved up the loss of a network within a small ball, and discretised again. The move itself cannot be seen; what
// it changes are the codes.
#pragma once

#include "attack/attacks.h"
#include "attack/discretiser.h"

namespace sparring {

enum class DiscreteVariant {
  adversarial,
  noise_only,   // a random point of the ball instead of gradient steps
  sample_only,  // no move: Q(Q(x))
};

struct DiscreteAttackOptions {
  DiscreteVariant variant = DiscreteVariant::adversarial;
  AttackOptions search;  // epsilon and step size as for images of 224 px, see length_at_size; random_start of `adversarial`
};

struct DiscreteAdversary {
  at::Tensor reconstruction;  // Q(x), [B, 3, H, W] fp32 in 0..1, the centre of the ball
  at::Tensor moved;           // z, likewise
  at::Tensor images;          // x' = Q(z), likewise
};

// The gradient is that of the loss at Q(x) with respect to Q(x) itself (straight-through): it takes no part in Q. The network is
// the teacher for DAD, the student for DAT.
DiscreteAdversary discrete_adversary(const AttackTarget& target, const Discretiser& q, const DiscreteAttackOptions& options, const JobContext& job);

}  // namespace sparring
