// Batch augmentation: random flip, reflect-padded crop, zoom and colour jitter, fused with the conversion from 8-bit
// pixels. One view per (seed, step, position in the batch): teacher and student are given the same view.
#pragma once

#include <torch/torch.h>

namespace sparring {

struct AugmentOptions {
  bool flip = false;         // mirror left-right with probability 1/2
  int64_t crop_padding = 0;  // shift by up to this many pixels in each direction, reflecting at the border
  double zoom = 0;           // enlarge around the centre by a factor from 1 / (1 + z) to 1 + z, uniform in its logarithm
  double brightness = 0;     // factor drawn from [1 - b, 1 + b]
  double contrast = 0;       // likewise, around the image's mean grey
  double saturation = 0;     // likewise, around each pixel's grey
  double hue = 0;            // turn of the hue drawn from [-h, h], in full turns
};

// images: [B, H, W, 3] uint8 (CPU) -> [B, 3, H, W] fp32 in 0..1, channels-last
at::Tensor augment(const at::Tensor& images, const AugmentOptions& options, uint64_t seed, uint64_t step);

}  // namespace sparring
