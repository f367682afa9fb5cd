#include "models/vqgan.h"

#include "models/nested.h"
#include "models/unet_layers.h"
#include "ops/nearest_code.h"

namespace sparring {

VQGANImpl::VQGANImpl(const VQGANOptions& options) : options(options) {
  const auto& shape = options.shape();
  const auto code = options.code_channels();
  encoder = register_module("encoder", AutoencoderEncoder(shape, shape.latent_channels()));
  quant_conv = register_module("quant_conv", conv1x1(shape.latent_channels(), code));
  embedding = register_nested(*this, {"quantize", "embedding"}, torch::nn::Embedding(options.num_codes(), code));
  post_quant_conv = register_module("post_quant_conv", conv1x1(code, shape.latent_channels()));
  decoder = register_module("decoder", AutoencoderDecoder(shape));
}

at::Tensor VQGANImpl::encode(const at::Tensor& images) { return quant_conv(encoder(images)).to(at::kFloat); }

Quantised VQGANImpl::quantise(const at::Tensor& latents) const {
  const auto batch = latents.size(0), channels = latents.size(1), height = latents.size(2), width = latents.size(3);
  const auto vectors = latents.detach().to(at::kFloat).permute({0, 2, 3, 1}).reshape({-1, channels});  // [B*h*w, C]
  const auto codebook = embedding->weight.detach().to(at::kFloat);  // [K, C]
  const auto indices = nearest_code(vectors, codebook).view({batch, height, width});
  const auto nearest = at::embedding(codebook, indices).permute({0, 3, 1, 2});  // [B, C, h, w]
  // Straight-through (Bengio et al. 2013, arXiv 1308.3432): z + (q - z) without the gradient of the bracket.
  return {latents + (nearest - latents).detach(), indices};
}

at::Tensor VQGANImpl::decode(const at::Tensor& latents) { return decoder(post_quant_conv(input_of(post_quant_conv, latents))).to(at::kFloat); }

}  // namespace sparring
