// EfficientNet (Tan and Le 2019, arXiv 1905.11946) with the key names of timm: conv_stem, bn1, blocks.0.0.conv_dw,
// conv_head, bn2, classifier. B0 by default; the others of the paper differ in the multipliers alone (B1: depth 1.1;
// B2: width 1.1, depth 1.2; B3: 1.2, 1.4; B4: 1.4, 1.8).
#pragma once

#include <vector>

#include <torch/torch.h>

#include "models/following_norm.h"

namespace sparring {

struct EfficientNetOptions {
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(double, width) = 1;  // multiplies the channels
  TORCH_ARG(double, depth) = 1;  // multiplies the blocks of every stage, rounded up
};

struct EfficientNetImpl : torch::nn::Module {
  explicit EfficientNetImpl(const EfficientNetOptions& options = {});
  // x: [B, 3, H, W] -> logits [B, num_classes]
  at::Tensor forward(at::Tensor x);

  EfficientNetOptions options;
  torch::nn::Conv2d conv_stem{nullptr}, conv_head{nullptr};
  FollowingNorm bn1{nullptr}, bn2{nullptr};
  std::vector<torch::nn::Sequential> stages;
  torch::nn::Linear classifier{nullptr};
};
TORCH_MODULE(EfficientNet);

}  // namespace sparring
