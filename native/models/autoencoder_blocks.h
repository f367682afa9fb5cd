// Encoder and decoder of latent diffusion's autoencoders (Rombach et al. 2022, arXiv 2112.10752), which are those of
// VQGAN (Esser et al. 2021, arXiv 2012.09841), with the key names of diffusers:
//   encoder: conv_in, down_blocks, mid_block, conv_norm_out, conv_out; decoder: conv_in, mid_block, up_blocks, ...
// Files of other projects have other names: lib/config/autoencoder-keys.ts.
#pragma once

#include <utility>
#include <vector>

#include <torch/torch.h>

#include "models/unet_blocks.h"

namespace sparring {

struct AutoencoderShape {
  TORCH_ARG(std::vector<int64_t>, block_channels) = {128, 256, 512, 512};  // per level; each but the first halves the size
  TORCH_ARG(std::vector<bool>, attention) = {false, false, false, false};  // per level; the middle always attends
  TORCH_ARG(int64_t, layers_per_block) = 2;                                // residual blocks per level (one more going up)
  TORCH_ARG(int64_t, norm_groups) = 32;
  TORCH_ARG(int64_t, latent_channels) = 4;
};

// One level, or the middle: residual blocks, attention after each where the level attends, then resampling.
struct AutoencoderLevelImpl : torch::nn::Module {
  enum class Kind { down, middle, up };
  // widths: (in, out) channels of each residual block; resample: whether the resolution changes at the end
  AutoencoderLevelImpl(Kind kind, const std::vector<std::pair<int64_t, int64_t>>& widths, bool attends, bool resample,
                       int64_t groups);
  at::Tensor forward(at::Tensor h);  // [B, in, H, W] -> [B, out, H', W']

  Kind kind;
  std::vector<ResnetBlock> resnets;
  std::vector<AttentionBlock> attentions;  // one per residual block; of the middle, one between its two
  torch::nn::Conv2d downsampler{nullptr};  // key downsamplers.0.conv
  UpsampleConv2d upsampler{nullptr};       // key upsamplers.0.conv
};
TORCH_MODULE(AutoencoderLevel);

struct AutoencoderEncoderImpl : torch::nn::Module {
  AutoencoderEncoderImpl(const AutoencoderShape& shape, int64_t out_channels);
  at::Tensor forward(const at::Tensor& images);  // [B, 3, H, W] -> [B, out_channels, H / f, W / f], f = 2^(levels - 1)

  torch::nn::Conv2d conv_in{nullptr}, conv_out{nullptr};
  std::vector<AutoencoderLevel> levels;  // the middle last
  torch::nn::GroupNorm conv_norm_out{nullptr};
};
TORCH_MODULE(AutoencoderEncoder);

struct AutoencoderDecoderImpl : torch::nn::Module {
  explicit AutoencoderDecoderImpl(const AutoencoderShape& shape);
  at::Tensor forward(const at::Tensor& latents);  // [B, latent_channels, h, w] -> [B, 3, f h, f w]

  torch::nn::Conv2d conv_in{nullptr}, conv_out{nullptr};
  std::vector<AutoencoderLevel> levels;  // the middle first
  torch::nn::GroupNorm conv_norm_out{nullptr};
};
TORCH_MODULE(AutoencoderDecoder);

}  // namespace sparring
