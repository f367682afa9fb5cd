// How far apart two images are in the features of a frozen network: LPIPS (Zhang et al. 2018, arXiv 1801.03924, eq. 1), or the same
// in the features of a classifier, with all channels weighted alike, for data to which no calibrated network belongs.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "models/classifier.h"
#include "models/lpips.h"

namespace sparring {

// images, targets: [B, 3, H, W] in -1..1 -> the mean over the batch; the gradient reaches `images`.
using PerceptualLoss = std::function<at::Tensor(const at::Tensor& images, const at::Tensor& targets)>;

PerceptualLoss perceptual_loss(std::shared_ptr<Classifier> classifier, at::ScalarType dtype);
PerceptualLoss perceptual_loss(std::shared_ptr<LpipsImpl> network);

}  // namespace sparring
