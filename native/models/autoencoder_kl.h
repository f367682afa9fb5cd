// The KL autoencoder of Stable Diffusion (Rombach et al. 2022, arXiv 2112.10752): diffusers' AutoencoderKL.
#pragma once

#include <torch/torch.h>

#include "models/autoencoder_blocks.h"

namespace sparring {

struct AutoencoderKLOptions {
  TORCH_ARG(AutoencoderShape, shape);
  TORCH_ARG(double, scaling_factor) = 0.18215;  // brings the latents that diffusion works on to unit variance
};

// A Gaussian with diagonal covariance.
struct DiagonalGaussian {
  at::Tensor mean, log_variance;  // [B, C, h, w] fp32, log_variance in [-30, 20]

  at::Tensor mode() const { return mean; }
  // noise: standard normal [B, C, h, w]
  at::Tensor sample(const at::Tensor& noise) const { return mean + (0.5 * log_variance).exp() * noise; }
};

struct AutoencoderKLImpl : torch::nn::Module {
  explicit AutoencoderKLImpl(const AutoencoderKLOptions& options = {});

  DiagonalGaussian posterior(const at::Tensor& images);  // [B, 3, H, W] in -1..1; before scaling
  // A draw from the posterior with `noise` [B, C, h, w], its mode without: the latents of diffusion [B, C, h, w] fp32.
  at::Tensor encode(const at::Tensor& images, const at::Tensor& noise = {});
  at::Tensor decode(const at::Tensor& latents);  // [B, C, h, w], as encode() gives them -> [B, 3, H, W], about -1..1

  AutoencoderKLOptions options;
  AutoencoderEncoder encoder{nullptr};
  AutoencoderDecoder decoder{nullptr};
  torch::nn::Conv2d quant_conv{nullptr}, post_quant_conv{nullptr};
};
TORCH_MODULE(AutoencoderKL);

}  // namespace sparring
