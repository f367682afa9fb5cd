// Published augmentations on top of a batch's views: each image has draws of its own by (seed, step, position in the
// batch).
#pragma once

#include <memory>
#include <vector>

#include <torch/torch.h>

#include "distill/views/fractal.h"

namespace sparring {

enum class ViewPolicy { none, rand_augment, aug_mix, pix_mix };

// AugMix's weight of the consistency of a classifier's predictions for its three views.
inline constexpr double kConsistencyWeight = 12;

class PolicyViews {
 public:
  // size: side of the images
  PolicyViews(ViewPolicy policy, int64_t size);

  // views: [B, 3, size, size] fp32 in 0..1, channels-last, on the CPU -> one such tensor, or three with AugMix: the
  // views as they are and twice mixed.
  std::vector<at::Tensor> operator()(const at::Tensor& views, uint64_t seed, uint64_t step) const;

 private:
  ViewPolicy policy_;
  std::shared_ptr<const MixingPictures> pictures_;  // of PixMix
};

}  // namespace sparring
