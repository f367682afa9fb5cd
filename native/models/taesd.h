// TAESD, the tiny autoencoder for the latents of Stable Diffusion (https://github.com/madebyollin/taesd): diffusers'
// AutoencoderTiny. It reads and writes the scaled latents, so it can stand in for AutoencoderKL with its scaling factor.
#pragma once

#include <vector>

#include <torch/torch.h>

#include "models/freezable_conv.h"

namespace sparring {

struct TAESDOptions {
  TORCH_ARG(int64_t, width) = 64;                                  // channels of every layer
  TORCH_ARG(std::vector<int64_t>, encoder_blocks) = {1, 3, 3, 3};  // per level; each but the first halves the size
  TORCH_ARG(std::vector<int64_t>, decoder_blocks) = {3, 3, 3, 1};  // per level, from the latents up
  TORCH_ARG(int64_t, latent_channels) = 4;
};

// conv-ReLU-conv-ReLU-conv plus the input, then ReLU.
struct TinyBlockImpl : torch::nn::Module {
  explicit TinyBlockImpl(int64_t channels);
  at::Tensor forward(const at::Tensor& x);  // [B, C, H, W] -> [B, C, H, W]

  std::vector<FreezableConv2d> convs;  // keys conv.0, conv.2, conv.4
};
TORCH_MODULE(TinyBlock);

// Keys encoder.layers.<n> and decoder.layers.<n>, counting also the layers that have no weights.
struct TAESDImpl : torch::nn::Module {
  explicit TAESDImpl(const TAESDOptions& options = {});

  at::Tensor encode(const at::Tensor& images);   // [B, 3, H, W] in -1..1 -> scaled latents [B, C, h, w] fp32
  at::Tensor decode(const at::Tensor& latents);  // scaled latents [B, C, h, w] -> [B, 3, H, W], about -1..1

  struct Level {
    torch::nn::Conv2d conv{nullptr};    // encoder: before the blocks, of stride 2 but for the first; decoder: after those of the last level
    UpsampleConv2d upsampler{nullptr};  // decoder: after the blocks of the other levels
    std::vector<TinyBlock> blocks;
  };

  TAESDOptions options;
  std::vector<Level> encoder_levels, decoder_levels;
  torch::nn::Conv2d encoder_out{nullptr}, decoder_in{nullptr};
};
TORCH_MODULE(TAESD);

}  // namespace sparring
