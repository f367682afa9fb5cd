#include "models/taesd.h"

#include <string>

#include "models/nested.h"
#include "models/unet_layers.h"

namespace sparring {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;

Conv2d downsampling_conv(int64_t channels) {
  return Conv2d(Conv2dOptions(channels, channels, 3).stride(2).padding(1).bias(false));
}

}  // namespace

// ---------------------------------------------------------------- residual block

TinyBlockImpl::TinyBlockImpl(int64_t channels) {
  for (const char* name : {"0", "2", "4"}) convs.push_back(register_nested(*this, {"conv", name}, freezable_conv3x3(channels, channels)));
}

at::Tensor TinyBlockImpl::forward(const at::Tensor& x) {
  const auto h = convs[2](at::relu(convs[1](at::relu(convs[0](x)))));
  return at::relu(h + x);
}

// ---------------------------------------------------------------- the network

TAESDImpl::TAESDImpl(const TAESDOptions& options) : options(options) {
  const auto width = options.width();
  int64_t layer = 0;
  const auto add = [&]<typename Module>(const char* part, Module module) {
    return register_nested(*this, {part, "layers", std::to_string(layer++)}, module);
  };

  for (const auto count : options.encoder_blocks()) {
    auto& level = encoder_levels.emplace_back();
    level.conv = add("encoder", layer == 0 ? conv3x3(3, width) : downsampling_conv(width));
    for (int64_t i = 0; i < count; ++i) level.blocks.push_back(add("encoder", TinyBlock(width)));
  }
  encoder_out = add("encoder", conv3x3(width, options.latent_channels()));

  layer = 0;
  decoder_in = add("decoder", conv3x3(options.latent_channels(), width));
  ++layer;  // ReLU
  for (const auto count : options.decoder_blocks()) {
    auto& level = decoder_levels.emplace_back();
    for (int64_t i = 0; i < count; ++i) level.blocks.push_back(add("decoder", TinyBlock(width)));
    const bool last = decoder_levels.size() == options.decoder_blocks().size();
    if (last) {
      level.conv = add("decoder", conv3x3(width, 3));
    } else {
      ++layer;  // upsampling
      level.upsampler = add("decoder", UpsampleConv2d(width, width, /*bias=*/false));
    }
  }
}

at::Tensor TAESDImpl::encode(const at::Tensor& images) {
  auto h = input_of(encoder_levels[0].conv, (images + 1) / 2);  // the network itself takes 0..1
  for (auto& level : encoder_levels) {
    h = level.conv(h);
    for (auto& block : level.blocks) h = block(h);
  }
  return encoder_out(h).to(at::kFloat);
}

at::Tensor TAESDImpl::decode(const at::Tensor& latents) {
  auto h = at::relu(decoder_in(input_of(decoder_in, at::tanh(latents / 3) * 3)));  // a soft clamp to -3..3
  for (auto& level : decoder_levels) {
    for (auto& block : level.blocks) h = block(h);
    h = level.upsampler ? level.upsampler(h) : level.conv(h);
  }
  return h.to(at::kFloat) * 2 - 1;
}

}  // namespace sparring
