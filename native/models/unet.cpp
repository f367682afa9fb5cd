#include "models/unet.h"

#include <cmath>

#include "models/nested.h"
#include "models/spatial_transformer.h"
#include "models/unet_layers.h"

namespace sparring {
namespace {

using torch::nn::Linear;

// Sinusoidal embedding (Vaswani et al. 2017): [B] -> [B, block_channels[0]]
at::Tensor timestep_embedding(const at::Tensor& timesteps, const UNetOptions& options) {
  const auto half = options.block_channels()[0] / 2;
  const auto rate = -std::log(10000.0) / static_cast<double>(half - options.frequency_shift());
  auto frequencies = at::arange(half, timesteps.options().dtype(at::kFloat)).mul_(rate).exp_();
  auto angles = timesteps.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);  // [B, half]
  return options.cosine_first() ? at::cat({angles.cos(), angles.sin()}, 1) : at::cat({angles.sin(), angles.cos()}, 1);
}

std::shared_ptr<SpatialAttention> make_attention(int64_t channels, int64_t heads, const UNetOptions& options) {
  if (options.text_channels() == 0) {
    return std::make_shared<AttentionBlockImpl>(channels, heads, options.norm_groups(), options.norm_eps());
  }
  return std::make_shared<SpatialTransformerImpl>(channels, heads, options.transformer_layers(), options.text_channels(),
                                                  options.norm_groups(), options.linear_projection());
}

}  // namespace

// ---------------------------------------------------------------- one level

UNetLevelImpl::UNetLevelImpl(const std::vector<std::pair<int64_t, int64_t>>& widths, int64_t num_attentions,
                             Resample resample, int64_t heads, int64_t embedding, const UNetOptions& options) {
  const auto channels = widths.back().second;
  auto resnet_list = register_module("resnets", torch::nn::ModuleList());
  for (const auto& [in, out] : widths) {
    resnets.emplace_back(in, out, embedding, options.norm_groups(), options.norm_eps());
    resnet_list->push_back(resnets.back());
  }
  if (num_attentions > 0) {
    auto attention_list = register_module("attentions", torch::nn::ModuleList());
    for (int64_t i = 0; i < num_attentions; ++i) {
      attentions.push_back(make_attention(channels, heads, options));
      attention_list->push_back(attentions.back());
    }
  }
  if (resample == Resample::down) {
    downsampler = register_nested(*this, {"downsamplers", "0", "conv"}, conv3x3(channels, channels, 2, options.downsample_both_sides() ? 1 : 0));
  }
  if (resample == Resample::up) upsampler = register_nested(*this, {"upsamplers", "0", "conv"}, UpsampleConv2d(channels, channels));
}

// ---------------------------------------------------------------- the network

UNetImpl::UNetImpl(const UNetOptions& options) : options(options) {
  using Resample = UNetLevelImpl::Resample;
  const auto& channels = options.block_channels();
  const auto levels = static_cast<int64_t>(channels.size());
  const auto layers = options.layers_per_block();
  const auto embedding = 4 * channels[0];

  conv_in = register_module("conv_in", conv3x3(options.channels(), channels[0]));
  linear_1 = register_nested(*this, {"time_embedding", "linear_1"}, Linear(channels[0], embedding));
  linear_2 = register_nested(*this, {"time_embedding", "linear_2"}, Linear(embedding, embedding));
  if (options.num_class_embeds() > 0) {
    class_embedding = register_module("class_embedding", torch::nn::Embedding(options.num_class_embeds(), embedding));
  }

  auto down_list = register_module("down_blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < levels; ++i) {
    std::vector<std::pair<int64_t, int64_t>> widths;
    for (int64_t j = 0; j < layers; ++j) widths.emplace_back(j == 0 ? channels[std::max<int64_t>(i - 1, 0)] : channels[i], channels[i]);
    down_blocks.emplace_back(widths, options.attention()[i] ? layers : 0, i + 1 < levels ? Resample::down : Resample::none,
                             options.heads()[i], embedding, options);
    down_list->push_back(down_blocks.back());
  }

  mid_block = register_module(
      "mid_block", UNetLevel(std::vector<std::pair<int64_t, int64_t>>(2, {channels.back(), channels.back()}), 1,
                             Resample::none, options.heads().back(), embedding, options));

  // Going up, residual block j of a level takes the features below it and one skip of the mirrored level.
  auto up_list = register_module("up_blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < levels; ++i) {
    const auto out = channels[levels - 1 - i];
    const auto below = channels[levels - 1 - std::max<int64_t>(i - 1, 0)];
    const auto last_skip = channels[std::max<int64_t>(levels - 2 - i, 0)];
    std::vector<std::pair<int64_t, int64_t>> widths;
    for (int64_t j = 0; j <= layers; ++j) widths.emplace_back((j == 0 ? below : out) + (j == layers ? last_skip : out), out);
    up_blocks.emplace_back(widths, options.attention()[levels - 1 - i] ? layers + 1 : 0,
                           i + 1 < levels ? Resample::up : Resample::none, options.heads()[levels - 1 - i], embedding, options);
    up_list->push_back(up_blocks.back());
  }
  conv_norm_out = register_module("conv_norm_out", make_group_norm(options.norm_groups(), channels[0], options.norm_eps()));
  conv_out = register_module("conv_out", conv3x3(channels[0], options.channels()));
}

at::Tensor UNetImpl::forward(const at::Tensor& x, const at::Tensor& timesteps, const at::Tensor& classes, const at::Tensor& text,
                             const at::Tensor& class_table) {
  auto embedding = timestep_embedding(timesteps, options).to(linear_1->weight.scalar_type());
  embedding = linear_2(at::silu(linear_1(embedding)));  // [B, 4 * block_channels[0]]
  if (class_table.defined()) embedding = embedding + class_table.index_select(0, classes).to(embedding.scalar_type());
  else if (class_embedding) embedding = embedding + class_embedding(classes);
  embedding = at::silu(embedding);  // every residual block starts from the activated embedding

  auto h = conv_in(x);
  std::vector<at::Tensor> skips{h};
  for (auto& level : down_blocks) {
    for (size_t j = 0; j < level->resnets.size(); ++j) {
      h = level->resnets[j](h, embedding);
      if (!level->attentions.empty()) h = level->attentions[j]->forward(h, text);
      skips.push_back(h);
    }
    if (level->downsampler) {
      h = level->downsampler(options.downsample_both_sides() ? h : at::constant_pad_nd(h, {0, 1, 0, 1}));
      skips.push_back(h);
    }
  }

  h = mid_block->resnets[0](h, embedding);
  h = mid_block->attentions[0]->forward(h, text);
  h = mid_block->resnets[1](h, embedding);

  for (auto& level : up_blocks) {
    for (size_t j = 0; j < level->resnets.size(); ++j) {
      h = level->resnets[j](at::cat({h, skips.back()}, 1), embedding);
      skips.pop_back();
      if (!level->attentions.empty()) h = level->attentions[j]->forward(h, text);
    }
    if (level->upsampler) h = level->upsampler(h);
  }
  return conv_out(normalise(conv_norm_out, h, true));
}

int64_t UNetImpl::activation_bytes(int64_t image_size, int64_t element_bytes) const {
  const auto& channels = options.block_channels();
  // Per residual block: input, normalised input, hidden, normalised hidden; per attention: norm, q, k, v, output; per layer
  // of a transformer two attentions and a GEGLU network.
  const auto per_attention = options.text_channels() == 0 ? 6 : 3 + 30 * options.transformer_layers();
  int64_t elements = 0;
  for (size_t i = 0; i < channels.size(); ++i) {
    const auto pixels = (image_size >> i) * (image_size >> i);
    const auto blocks = 2 * options.layers_per_block() + 1 + (i + 1 == channels.size() ? 2 : 0);
    const auto per_block = 6 + (options.attention()[i] ? per_attention : 0);
    elements += blocks * per_block * channels[i] * pixels;
  }
  return elements * element_bytes;
}

}  // namespace sparring
