#include "models/autoencoder_blocks.h"

#include "models/nested.h"
#include "models/unet_layers.h"

namespace sparring {
namespace {

using Kind = AutoencoderLevelImpl::Kind;

constexpr double kNormEps = 1e-6;

AutoencoderLevel middle(int64_t channels, int64_t groups) {
  return AutoencoderLevel(Kind::middle, std::vector<std::pair<int64_t, int64_t>>(2, {channels, channels}), true, false, groups);
}

// The widths of `count` residual blocks of which the first changes the channels.
std::vector<std::pair<int64_t, int64_t>> widths(int64_t in, int64_t out, int64_t count) {
  std::vector<std::pair<int64_t, int64_t>> result(static_cast<size_t>(count), {out, out});
  result[0].first = in;
  return result;
}

}  // namespace

// ---------------------------------------------------------------- one level

AutoencoderLevelImpl::AutoencoderLevelImpl(Kind kind, const std::vector<std::pair<int64_t, int64_t>>& widths, bool attends,
                                           bool resample, int64_t groups)
    : kind(kind) {
  const auto channels = widths.back().second;
  auto resnet_list = register_module("resnets", torch::nn::ModuleList());
  for (const auto& [in, out] : widths) {
    resnets.emplace_back(in, out, /*embedding=*/0, groups, kNormEps);
    resnet_list->push_back(resnets.back());
  }
  if (attends) {
    auto attention_list = register_module("attentions", torch::nn::ModuleList());
    const auto count = kind == Kind::middle ? 1 : widths.size();
    for (size_t i = 0; i < count; ++i) {
      attentions.emplace_back(channels, /*heads=*/1, groups, kNormEps);
      attention_list->push_back(attentions.back());
    }
  }
  if (!resample) return;
  if (kind == Kind::down) downsampler = register_nested(*this, {"downsamplers", "0", "conv"}, conv3x3(channels, channels, 2, 0));
  if (kind == Kind::up) upsampler = register_nested(*this, {"upsamplers", "0", "conv"}, UpsampleConv2d(channels, channels));
}

at::Tensor AutoencoderLevelImpl::forward(at::Tensor h) {
  for (size_t i = 0; i < resnets.size(); ++i) {
    h = resnets[i](h);
    if (i < attentions.size()) h = attentions[i]->forward(h, /*text=*/{});
  }
  if (downsampler) return downsampler(at::constant_pad_nd(h, {0, 1, 0, 1}));  // on the right and at the bottom only, as the published weights expect
  return upsampler ? upsampler(h) : h;
}

// ---------------------------------------------------------------- encoder

AutoencoderEncoderImpl::AutoencoderEncoderImpl(const AutoencoderShape& shape, int64_t out_channels) {
  const auto& channels = shape.block_channels();
  conv_in = register_module("conv_in", conv3x3(3, channels[0]));
  auto down_list = register_module("down_blocks", torch::nn::ModuleList());
  for (size_t i = 0; i < channels.size(); ++i) {
    levels.emplace_back(Kind::down, widths(channels[i == 0 ? 0 : i - 1], channels[i], shape.layers_per_block()),
                        shape.attention()[i], i + 1 < channels.size(), shape.norm_groups());
    down_list->push_back(levels.back());
  }
  levels.push_back(register_module("mid_block", middle(channels.back(), shape.norm_groups())));
  conv_norm_out = register_module("conv_norm_out", make_group_norm(shape.norm_groups(), channels.back(), kNormEps));
  conv_out = register_module("conv_out", conv3x3(channels.back(), out_channels));
}

at::Tensor AutoencoderEncoderImpl::forward(const at::Tensor& images) {
  auto h = conv_in(input_of(conv_in, images));
  for (auto& level : levels) h = level(h);
  return conv_out(normalise(conv_norm_out, h, true));
}

// ---------------------------------------------------------------- decoder

AutoencoderDecoderImpl::AutoencoderDecoderImpl(const AutoencoderShape& shape) {
  const auto& channels = shape.block_channels();
  conv_in = register_module("conv_in", conv3x3(shape.latent_channels(), channels.back()));
  levels.push_back(register_module("mid_block", middle(channels.back(), shape.norm_groups())));
  auto up_list = register_module("up_blocks", torch::nn::ModuleList());
  for (size_t i = channels.size(); i-- > 0;) {
    levels.emplace_back(Kind::up, widths(channels[std::min(i + 1, channels.size() - 1)], channels[i], shape.layers_per_block() + 1),
                        shape.attention()[i], i > 0, shape.norm_groups());
    up_list->push_back(levels.back());
  }
  conv_norm_out = register_module("conv_norm_out", make_group_norm(shape.norm_groups(), channels[0], kNormEps));
  conv_out = register_module("conv_out", conv3x3(channels[0], 3));
}

at::Tensor AutoencoderDecoderImpl::forward(const at::Tensor& latents) {
  auto h = conv_in(latents);
  for (auto& level : levels) h = level(h);
  return conv_out(normalise(conv_norm_out, h, true));
}

}  // namespace sparring
