// Which way the loss of a network rises, seen from its input: what all attacks by gradient climb.
#pragma once

#include <functional>

#include <torch/torch.h>

#include "models/classifier.h"

namespace sparring {

// The network under attack: images [B, 3, H, W] fp32 in 0..1 -> logits [B, K] fp32, with gradients to the images.
using AttackedNetwork = std::function<at::Tensor(const at::Tensor& images)>;

// The frozen copy of a classifier, which must outlive it.
AttackedNetwork frozen_network(Classifier& classifier, at::ScalarType dtype);

struct LossGradient {
  at::Tensor losses;    // [B], cross-entropy
  at::Tensor gradient;  // [B, 3, H, W], of the sum of losses: of each image's own, where the network treats images one by one
  at::Tensor logits;    // [B, K]
};

// `targets`: classes [B] int64, or soft labels [B, K] fp32.
LossGradient loss_gradient(const AttackedNetwork& network, const at::Tensor& images, const at::Tensor& targets);

}  // namespace sparring
