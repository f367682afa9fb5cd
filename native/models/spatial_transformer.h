// The transformer of latent diffusion models between residual blocks (Rombach et al. 2022, arXiv 2112.10752, section 3.3;
// diffusers' Transformer2DModel): each position attends to the others and to a text.
#pragma once

#include <vector>

#include <torch/torch.h>

#include "models/unet_blocks.h"

namespace sparring {

// A linear layer of tokens; of Stable Diffusion 1.x it is kept as the 1x1 convolution that it equals: [out, in, 1, 1].
struct ProjectionImpl : torch::nn::Module {
  ProjectionImpl(int64_t in, int64_t out, bool as_convolution);
  at::Tensor forward(const at::Tensor& x);  // [B, N, in] -> [B, N, out]

  at::Tensor weight, bias;
};
TORCH_MODULE(Projection);

struct CrossAttentionImpl : torch::nn::Module {
  CrossAttentionImpl(int64_t channels, int64_t context_channels, int64_t heads);
  // x: [B, N, channels], context: [B, M, context_channels] -> [B, N, channels]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& context);

  int64_t heads;
  torch::nn::Linear to_q{nullptr}, to_k{nullptr}, to_v{nullptr};
  torch::nn::ModuleList to_out{nullptr};
};
TORCH_MODULE(CrossAttention);

// Self-attention, attention to the text and a GEGLU network, each behind a layer norm and with residual connection.
struct CrossAttentionBlockImpl : torch::nn::Module {
  CrossAttentionBlockImpl(int64_t channels, int64_t heads, int64_t text_channels);
  // x: [B, N, channels], text: [B, M, text_channels] -> [B, N, channels]
  at::Tensor forward(at::Tensor x, const at::Tensor& text);

  torch::nn::LayerNorm norm1{nullptr}, norm2{nullptr}, norm3{nullptr};
  CrossAttention attn1{nullptr}, attn2{nullptr};
  torch::nn::Linear expand{nullptr}, contract{nullptr};  // keys ff.net.0.proj and ff.net.2
};
TORCH_MODULE(CrossAttentionBlock);

struct SpatialTransformerImpl : SpatialAttention {
  SpatialTransformerImpl(int64_t channels, int64_t heads, int64_t layers, int64_t text_channels, int64_t groups, bool linear_projection);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& text) override;

  torch::nn::GroupNorm norm{nullptr};
  Projection proj_in{nullptr}, proj_out{nullptr};
  std::vector<CrossAttentionBlock> blocks;
};
TORCH_MODULE(SpatialTransformer);

}  // namespace sparring
