// Residual networks (He et al. 2015, arXiv 1512.03385) with the key names of torchvision and timm
// (conv1, bn1, layer1.0.conv1, layer1.0.downsample.0, fc), with the ImageNet stem (7x7 stride 2, max pool)
// or the CIFAR stem (3x3 stride 1, no pool).
#pragma once

#include <vector>

#include <torch/torch.h>

#include "models/following_norm.h"
#include "models/freezable_conv.h"

namespace sparring {

struct ResNetOptions {
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(std::vector<int64_t>, layers) = {2, 2, 2, 2};  // blocks per stage; ResNet-18 by default
  TORCH_ARG(int64_t, width) = 64;                          // channels of the first stage; doubled at each next one
  TORCH_ARG(bool, bottleneck) = false;                     // 1x1-3x3-1x1 blocks with expansion 4 (ResNet-50 and deeper)
  TORCH_ARG(bool, cifar_stem) = false;
};

struct ResNetImpl : torch::nn::Module {
  explicit ResNetImpl(const ResNetOptions& options = {});
  // x: [B, 3, H, W] -> logits [B, num_classes]
  at::Tensor forward(at::Tensor x);
  // What the stem gives and the output of each stage, [B, C, h, w].
  std::vector<at::Tensor> feature_maps(at::Tensor x);

  ResNetOptions options;
  FreezableConv2d conv1{nullptr};
  FollowingNorm bn1{nullptr};
  std::vector<torch::nn::Sequential> stages;
  torch::nn::Linear fc{nullptr};

 private:
  at::Tensor stem(const at::Tensor& x);
};
TORCH_MODULE(ResNet);

}  // namespace sparring
