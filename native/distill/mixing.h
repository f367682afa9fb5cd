// Mixed views: CutMix (Yun et al. 2019, arXiv 1905.04899) and MixUp (Zhang et al. 2017, arXiv 1710.09412) within a
// batch. In distillation the teacher labels the mixed view itself, as in Beyer et al. 2021 (arXiv 2106.05237).
#pragma once

#include <torch/torch.h>

namespace sparring {

struct MixingOptions {
  double cut_mix = 0;  // share of the images in which a rectangle comes from another one
  double mix_up = 0;   // share of the images that are blended with another one
  bool any() const { return cut_mix > 0 || mix_up > 0; }
};

struct MixedViews {
  at::Tensor images;   // [B, 3, H, W]
  at::Tensor partner;  // [B] int64, the image whose part is in it
  at::Tensor share;    // [B] fp32, the share of the image itself; 1 where nothing is mixed in
};

// images: [B, 3, H, W] fp32, channels-last, on the CPU. Each image has draws and a share of its own, the share uniform
// (Beta(1, 1), CutMix's setting); the partner is as many places further on in the batch for all of them.
MixedViews mix(const at::Tensor& images, const MixingOptions& options, uint64_t seed, uint64_t step);

}  // namespace sparring
