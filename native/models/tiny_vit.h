// TinyViT (Wu et al. 2022, arXiv 2207.10666) with the key names of timm: patch_embed.conv1.{conv,bn},
// stages.0.blocks.0.conv1.{conv,bn}, stages.1.downsample.conv1.{conv,bn}, stages.1.blocks.0.{attn.{norm,qkv,
// attention_biases,proj},mlp.{norm,fc1,fc2},local_conv.{conv,bn}}, head.norm, head.fc. A stage of convolutions is followed
// by stages of attention in windows. TinyViT-5M by default.
#pragma once

#include <vector>

#include <torch/torch.h>

namespace sparring {

struct TinyViTOptions {
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(std::vector<int64_t>, depths) = {2, 2, 6, 2};        // blocks per stage
  TORCH_ARG(std::vector<int64_t>, dims) = {64, 128, 160, 320};   // channels per stage
  TORCH_ARG(std::vector<int64_t>, heads) = {4, 5, 10};           // of the stages after the first
  TORCH_ARG(std::vector<int64_t>, windows) = {7, 14, 7};         // sides of the windows, likewise
};

struct TinyViTImpl : torch::nn::Module {
  explicit TinyViTImpl(const TinyViTOptions& options = {});
  // x: [B, 3, H, W] -> logits [B, num_classes]
  at::Tensor forward(at::Tensor x);

  TinyViTOptions options;
  std::vector<torch::nn::Sequential> layers;  // stem, blocks, downsample, blocks, downsample, ...
  torch::nn::LayerNorm norm{nullptr};
  torch::nn::Linear fc{nullptr};
};
TORCH_MODULE(TinyViT);

}  // namespace sparring
