// AugMix (Hendrycks et al. 2020, arXiv 1912.02781): chains of weak operations, blended with each other and with the
// view itself. None of them is among the corruptions of ImageNet-C (no brightness, contrast, colour, sharpness).
#pragma once

#include <array>
#include <vector>

#include "distill/views/draws.h"
#include "distill/views/picture_ops.h"

namespace sparring {

inline constexpr uint8_t kAugMixFill = 0;

// One of AugMix's nine operations, of a strength drawn below severity 3 of 10. PixMix takes them too.
PictureStep draw_weak_step(Draws& draws, int64_t height, int64_t width);

struct AugMixPlan {
  double share;                                   // of the chains in the result, Beta(1, 1)
  std::array<double, 3> weights;                  // of each chain, Dirichlet(1, 1, 1)
  std::array<std::vector<PictureStep>, 3> chains;  // of one to three operations each
};

AugMixPlan draw_aug_mix(Draws& draws, int64_t height, int64_t width);

// in, out: [H, W, 3] in 0..1
void render(const AugMixPlan& plan, const float* in, float* out, int64_t height, int64_t width);

}  // namespace sparring
