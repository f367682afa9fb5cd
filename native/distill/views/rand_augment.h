// RandAugment (Cubuk et al. 2019, arXiv 1909.13719) with the operations, ranges and magnitudes that timm calls
// rand-m9-mstd0.5-inc1: two of 15 operations, each with probability 1/2.
#pragma once

#include <vector>

#include "distill/views/draws.h"
#include "distill/views/picture_ops.h"

namespace sparring {

inline constexpr uint8_t kRandAugmentFill = 128;

// What is done to a picture of this size, in this order.
std::vector<PictureStep> draw_rand_augment(Draws& draws, int64_t height, int64_t width);

}  // namespace sparring
