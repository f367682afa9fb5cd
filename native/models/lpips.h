// LPIPS (Zhang et al. 2018, arXiv 1801.03924) in the features of VGG16: how far apart two images look to people, by whose judgements
// the channels are weighted. Version 0.1 of the authors' package `lpips`, with its key names.
#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

#include "models/freezable_conv.h"

namespace sparring {

struct LpipsOptions {
  TORCH_ARG(std::vector<int64_t>, channels) = {64, 128, 256, 512, 512};  // of the five stages
};

struct LpipsImpl : torch::nn::Module {
  explicit LpipsImpl(const LpipsOptions& options);

  // Outputs of the stages: [B, 3, H, W] in -1..1 -> five maps, [B, C, H / 2^i, W / 2^i] fp32.
  std::vector<at::Tensor> feature_maps(const at::Tensor& images);
  // Least side of an image that five stages leave anything of.
  static constexpr int64_t kLeastSide = 16;

  std::vector<at::Tensor> channel_weights;  // of each stage, [1, C, 1, 1] fp32, not negative

 private:
  std::vector<std::vector<FreezableConv2d>> stages_;
  at::Tensor shift_, scale_;  // [1, 3, 1, 1] fp32
};
TORCH_MODULE(Lpips);

// Frozen in `dtype`. As wide as the file says. Throws Error "io" or "weights".
Lpips load_lpips(const std::string& path, at::Device device, at::ScalarType dtype);

}  // namespace sparring
