// The blocks of diffusers' U-Nets and autoencoders, under its key names: residual blocks, self-attention, and what attends
// to a text as well.
#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

#include "models/freezable_conv.h"

namespace sparring {

// GroupNorm-SiLU-conv, time embedding, GroupNorm-SiLU-conv, plus the input (through a 1x1 conv if widths differ).
struct ResnetBlockImpl : torch::nn::Module {
  // embedding: channels of the time embedding, 0 = a block without one
  ResnetBlockImpl(int64_t in, int64_t out, int64_t embedding, int64_t groups, double eps);
  // x: [B, in, H, W], activated_embedding: SiLU(embedding) [B, embedding], or undefined -> [B, out, H, W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& activated_embedding = {});

  torch::nn::GroupNorm norm1{nullptr}, norm2{nullptr};
  FreezableConv2d conv1{nullptr}, conv2{nullptr};
  torch::nn::Conv2d conv_shortcut{nullptr};
  torch::nn::Linear time_emb_proj{nullptr};
};
TORCH_MODULE(ResnetBlock);

// What lets the H*W positions see each other, and a text where there is one.
struct SpatialAttention : torch::nn::Module {
  // x: [B, C, H, W], text: [B, tokens, D] or undefined -> [B, C, H, W]
  virtual at::Tensor forward(const at::Tensor& x, const at::Tensor& text) = 0;
};

// Multi-head self-attention with residual connection; takes no notice of a text.
struct AttentionBlockImpl : SpatialAttention {
  AttentionBlockImpl(int64_t channels, int64_t heads, int64_t groups, double eps);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& text) override;

  int64_t heads;
  torch::nn::GroupNorm group_norm{nullptr};
  torch::nn::Linear to_q{nullptr}, to_k{nullptr}, to_v{nullptr}, to_out{nullptr};  // key of the last: to_out.0
};
TORCH_MODULE(AttentionBlock);

}  // namespace sparring
