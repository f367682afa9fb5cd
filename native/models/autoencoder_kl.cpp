#include "models/autoencoder_kl.h"

#include "models/unet_layers.h"

namespace sparring {

AutoencoderKLImpl::AutoencoderKLImpl(const AutoencoderKLOptions& options) : options(options) {
  const auto& shape = options.shape();
  const auto channels = shape.latent_channels();
  encoder = register_module("encoder", AutoencoderEncoder(shape, 2 * channels));  // mean and log variance
  decoder = register_module("decoder", AutoencoderDecoder(shape));
  quant_conv = register_module("quant_conv", conv1x1(2 * channels, 2 * channels));
  post_quant_conv = register_module("post_quant_conv", conv1x1(channels, channels));
}

DiagonalGaussian AutoencoderKLImpl::posterior(const at::Tensor& images) {
  const auto moments = quant_conv(encoder(images)).to(at::kFloat).chunk(2, 1);
  return {moments[0], moments[1].clamp(-30, 20)};
}

at::Tensor AutoencoderKLImpl::encode(const at::Tensor& images, const at::Tensor& noise) {
  const auto gaussian = posterior(images);
  return (noise.defined() ? gaussian.sample(noise) : gaussian.mode()) * options.scaling_factor();
}

at::Tensor AutoencoderKLImpl::decode(const at::Tensor& latents) {
  return decoder(post_quant_conv(input_of(post_quant_conv, latents / options.scaling_factor()))).to(at::kFloat);
}

}  // namespace sparring
