// VQGAN (Esser et al. 2021, arXiv 2012.09841), also the vq autoencoders of latent diffusion: diffusers' VQModel.
#pragma once

#include <torch/torch.h>

#include "models/autoencoder_blocks.h"

namespace sparring {

struct VQGANOptions {
  TORCH_ARG(AutoencoderShape, shape);
  TORCH_ARG(int64_t, num_codes) = 16384;
  TORCH_ARG(int64_t, code_channels) = 4;  // of a code, and of the latents; latent_channels of the shape is within
};

struct Quantised {
  at::Tensor latents;  // [B, code_channels, h, w] fp32: the codes' values, with the gradient of the input
  at::Tensor indices;  // [B, h, w] int64
};

struct VQGANImpl : torch::nn::Module {
  explicit VQGANImpl(const VQGANOptions& options = {});

  at::Tensor encode(const at::Tensor& images);  // [B, 3, H, W] in -1..1 -> [B, code_channels, h, w] fp32, not yet quantised
  Quantised quantise(const at::Tensor& latents) const;  // each position to its nearest code, straight-through
  at::Tensor decode(const at::Tensor& latents);  // [B, code_channels, h, w] -> [B, 3, H, W], about -1..1

  VQGANOptions options;
  AutoencoderEncoder encoder{nullptr};
  AutoencoderDecoder decoder{nullptr};
  torch::nn::Conv2d quant_conv{nullptr}, post_quant_conv{nullptr};
  torch::nn::Embedding embedding{nullptr};  // the codebook, [num_codes, code_channels]; key quantize.embedding
};
TORCH_MODULE(VQGAN);

}  // namespace sparring
