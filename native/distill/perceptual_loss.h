// How far apart two images are in the features of a classifier: LPIPS (Zhang et al. 2018, arXiv 1801.03924, eq. 1) with all
// channels weighted alike, for data to which no calibrated network belongs.
#pragma once

#include <vector>

#include "models/classifier.h"

namespace sparring {

// found, expected: maps [B, C, h, w] of the same layers. Each vector of C numbers is brought to length 1; the squared distances are
// averaged over positions and images and summed over the layers.
at::Tensor perceptual_distance(const std::vector<at::Tensor>& found, const std::vector<at::Tensor>& expected);

// Of the frozen classifier's feature maps. images, targets: [B, 3, H, W] in -1..1; the gradient reaches `images`.
at::Tensor perceptual_loss(Classifier& classifier, const at::Tensor& images, const at::Tensor& targets, at::ScalarType dtype);

}  // namespace sparring
