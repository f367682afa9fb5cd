// MobileNetV3 (Howard et al. 2019, arXiv 1905.02244) with the key names of timm: conv_stem, bn1, blocks.0.0.conv_dw,
// blocks.6.0.conv, conv_head, classifier.
#pragma once

#include <vector>

#include <torch/torch.h>

#include "models/following_norm.h"

namespace sparring {

struct MobileNetV3Options {
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(bool, small) = false;  // MobileNetV3-Small instead of Large
  TORCH_ARG(double, width) = 1;    // multiplies all channels but those of the head, and below 0.75 of the stem
};

struct MobileNetV3Impl : torch::nn::Module {
  explicit MobileNetV3Impl(const MobileNetV3Options& options = {});
  // x: [B, 3, H, W] -> logits [B, num_classes]
  at::Tensor forward(at::Tensor x);

  MobileNetV3Options options;
  torch::nn::Conv2d conv_stem{nullptr}, conv_last{nullptr}, conv_head{nullptr};
  FollowingNorm bn_stem{nullptr}, bn_last{nullptr};
  std::vector<torch::nn::Sequential> stages;
  torch::nn::Linear classifier{nullptr};
};
TORCH_MODULE(MobileNetV3);

}  // namespace sparring
