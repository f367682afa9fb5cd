// ConvNeXt (Liu et al. 2022, arXiv 2201.03545) with the key names of timm: stem.0, stem.1, stages.1.downsample.0,
// stages.0.blocks.0.{conv_dw,norm,mlp.fc1,mlp.fc2,gamma}, head.norm, head.fc.
#pragma once

#include <vector>

#include <torch/torch.h>

namespace sparring {

struct ConvNeXtOptions {
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(std::vector<int64_t>, depths) = {3, 3, 9, 3};       // blocks per stage; ConvNeXt-Tiny by default
  TORCH_ARG(std::vector<int64_t>, dims) = {96, 192, 384, 768};  // channels per stage
};

struct ConvNeXtImpl : torch::nn::Module {
  explicit ConvNeXtImpl(const ConvNeXtOptions& options = {});
  // x: [B, 3, H, W] -> logits [B, num_classes]
  at::Tensor forward(at::Tensor x);

  ConvNeXtOptions options;
  std::vector<torch::nn::Sequential> layers;  // stem, blocks, downsample, blocks, downsample, ...
  torch::nn::LayerNorm norm{nullptr};
  torch::nn::Linear fc{nullptr};
};
TORCH_MODULE(ConvNeXt);

}  // namespace sparring
