// An image autoencoder of any kind, frozen: its network and the copy in the precision that is asked for. Gradients reach
// what goes in, never the weights.
#pragma once

#include <memory>
#include <optional>
#include <variant>

#include <torch/torch.h>

#include "models/autoencoder_kl.h"
#include "models/taesd.h"
#include "models/vqgan.h"

namespace sparring {

using AutoencoderOptions = std::variant<AutoencoderKLOptions, VQGANOptions, TAESDOptions>;

class Autoencoder {
 public:
  // Without a seed the weights are left as they come, for loading; see initialisation.h.
  Autoencoder(AutoencoderOptions options, at::Device device, std::optional<uint64_t> seed);

  // images: [B, 3, H, W] fp32 in -1..1, H and W multiples of downsampling() -> latents [B, C, h, w] fp32: of a KL
  // autoencoder scaled for diffusion, the mode of the posterior or, with `noise` [B, C, h, w], a draw from it; of TAESD
  // the same; of a VQGAN not yet quantised.
  at::Tensor encode(const at::Tensor& images, at::ScalarType dtype, const at::Tensor& noise = {});
  // latents: [B, C, h, w] fp32 as encode() or quantise() give them -> images [B, 3, H, W] fp32, not clamped to -1..1.
  at::Tensor decode(const at::Tensor& latents, at::ScalarType dtype);

  // Of a VQGAN. In fp32 whatever the precision of the convolutions: rounded codes would be other codes.
  Quantised quantise(const at::Tensor& latents) const;
  bool has_codes() const { return std::holds_alternative<VQGAN>(net_); }
  bool has_posterior() const { return std::holds_alternative<AutoencoderKL>(net_); }

  // A second one of the same kind with its own copy of the weights.
  std::shared_ptr<Autoencoder> clone() const;

  // To be called after every change of the weights.
  void touch() { frozen_.reset(); }

  torch::nn::Module& module() const;
  VQGANImpl& vqgan() const;  // of one that has codes
  // Images to latents, to the nearest codes of a VQGAN, and back, by the network itself instead of its frozen copy.
  at::Tensor reconstruct(const at::Tensor& images);
  int64_t latent_channels() const;
  int64_t downsampling() const;  // side of an image over side of its latents
  at::Device device() const { return device_; }

 private:
  using Network = std::variant<AutoencoderKL, VQGAN, TAESD>;
  Network& frozen(at::ScalarType dtype);

  AutoencoderOptions options_;
  at::Device device_;
  Network net_;
  std::unique_ptr<Network> frozen_;
  at::ScalarType frozen_dtype_ = at::kFloat;
};

}  // namespace sparring
