// Random square parts of an image, with noise, which classifiers judge in place of the whole: a gradient that holds for all of
// them changes what is seen, not single pixels.
#pragma once

#include <torch/torch.h>

namespace sparring {

struct CutoutOptions {
  int64_t count = 0;      // per image and step; 0: the whole image is judged, without noise
  double least_side = 0.7;  // sides are drawn from this share of the image's to the whole, places evenly
  double noise = 0;       // standard deviation of what is added, images being in -1..1
};

// images: [B, C, H, W] -> [count * B, C, H, W], all resized to the whole (bilinear); part i of image b is at i * B + b. What is drawn depends on
// the image's seed and the step alone.
at::Tensor cutouts(const at::Tensor& images, const CutoutOptions& options, at::ArrayRef<int64_t> seeds, uint64_t step);

}  // namespace sparring
