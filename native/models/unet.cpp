#include "models/unet.h"

#include <cmath>

#include "models/nested.h"
#include "models/unet_layers.h"
#include "ops/attention.h"
#include "ops/linear.h"
#include "ops/upsample_conv.h"

namespace sparring {
namespace {

using torch::nn::Linear;

constexpr double kNormEps = 1e-5;

// Sinusoidal embedding (Vaswani et al. 2017) with the cosine half first: [B] -> [B, channels]
at::Tensor timestep_embedding(const at::Tensor& timesteps, int64_t channels) {
  const auto half = channels / 2;
  auto frequencies = at::arange(half, timesteps.options().dtype(at::kFloat)).mul_(-std::log(10000.0) / half).exp_();
  auto angles = timesteps.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);  // [B, channels / 2]
  return at::cat({angles.cos(), angles.sin()}, 1);
}

}  // namespace

// ---------------------------------------------------------------- residual block

ResnetBlockImpl::ResnetBlockImpl(int64_t in, int64_t out, int64_t embedding, int64_t groups, double norm_eps) {
  norm1 = register_module("norm1", make_norm(groups, in, norm_eps));
  conv1 = register_module("conv1", conv3x3(in, out));
  if (embedding > 0) time_emb_proj = register_module("time_emb_proj", Linear(embedding, out));
  norm2 = register_module("norm2", make_norm(groups, out, norm_eps));
  conv2 = register_module("conv2", conv3x3(out, out));
  if (in != out) conv_shortcut = register_module("conv_shortcut", conv1x1(in, out));
}

at::Tensor ResnetBlockImpl::forward(const at::Tensor& x, const at::Tensor& activated_embedding) {
  auto h = conv1(normalise(norm1, x, true));
  if (time_emb_proj) h = h + time_emb_proj(activated_embedding).unsqueeze(2).unsqueeze(3);
  h = conv2(normalise(norm2, h, true));
  return h + (conv_shortcut ? conv_shortcut->forward(x) : x);
}

// ---------------------------------------------------------------- attention

AttentionBlockImpl::AttentionBlockImpl(int64_t channels, int64_t groups, int64_t head_dim, double norm_eps)
    : channels(channels), heads(std::max<int64_t>(1, channels / head_dim)) {
  group_norm = register_module("group_norm", make_norm(groups, channels, norm_eps));
  to_q = register_module("to_q", Linear(channels, channels));
  to_k = register_module("to_k", Linear(channels, channels));
  to_v = register_module("to_v", Linear(channels, channels));
  to_out = register_nested(*this, {"to_out", "0"}, Linear(channels, channels));
}

at::Tensor AttentionBlockImpl::forward(const at::Tensor& x) {
  const auto batch = x.size(0), height = x.size(2), width = x.size(3);
  auto tokens = normalise(group_norm, x, false).flatten(2).transpose(1, 2);  // [B, H*W, C]
  const auto split_heads = [&](const at::Tensor& t) {
    return t.view({batch, -1, heads, channels / heads}).transpose(1, 2);  // [B, heads, H*W, head_dim]
  };
  auto attended = attention(split_heads(linear(to_q, tokens)), split_heads(linear(to_k, tokens)), split_heads(linear(to_v, tokens)));
  attended = attended.transpose(1, 2).reshape({batch, -1, channels});
  attended = linear(to_out, attended);
  // [B, H*W, C] is channels-last memory already: the view costs nothing.
  return x + attended.transpose(1, 2).view({batch, channels, height, width});
}

// ---------------------------------------------------------------- one level

UNetLevelImpl::UNetLevelImpl(const std::vector<std::pair<int64_t, int64_t>>& widths, int64_t num_attentions,
                             Resample resample, int64_t embedding, const UNetOptions& options) {
  const auto channels = widths.back().second;
  auto resnet_list = register_module("resnets", torch::nn::ModuleList());
  for (const auto& [in, out] : widths) {
    resnets.emplace_back(in, out, embedding, options.norm_groups(), kNormEps);
    resnet_list->push_back(resnets.back());
  }
  if (num_attentions > 0) {
    auto attention_list = register_module("attentions", torch::nn::ModuleList());
    for (int64_t i = 0; i < num_attentions; ++i) {
      attentions.emplace_back(channels, options.norm_groups(), options.head_dim(), kNormEps);
      attention_list->push_back(attentions.back());
    }
  }
  if (resample == Resample::down) sampler = register_nested(*this, {"downsamplers", "0", "conv"}, conv3x3(channels, channels, 2));
  if (resample == Resample::up) sampler = register_nested(*this, {"upsamplers", "0", "conv"}, conv3x3(channels, channels));
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
  class_embedding = register_module("class_embedding", torch::nn::Embedding(options.num_class_embeds(), embedding));

  auto down_list = register_module("down_blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < levels; ++i) {
    std::vector<std::pair<int64_t, int64_t>> widths;
    for (int64_t j = 0; j < layers; ++j) widths.emplace_back(j == 0 ? channels[std::max<int64_t>(i - 1, 0)] : channels[i], channels[i]);
    down_blocks.emplace_back(widths, options.attention()[i] ? layers : 0, i + 1 < levels ? Resample::down : Resample::none,
                             embedding, options);
    down_list->push_back(down_blocks.back());
  }

  mid_block = register_module(
      "mid_block", UNetLevel(std::vector<std::pair<int64_t, int64_t>>(2, {channels.back(), channels.back()}), 1,
                             Resample::none, embedding, options));

  // Going up, residual block j of a level takes the features below it and one skip of the mirrored level.
  auto up_list = register_module("up_blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < levels; ++i) {
    const auto out = channels[levels - 1 - i];
    const auto below = channels[levels - 1 - std::max<int64_t>(i - 1, 0)];
    const auto last_skip = channels[std::max<int64_t>(levels - 2 - i, 0)];
    std::vector<std::pair<int64_t, int64_t>> widths;
    for (int64_t j = 0; j <= layers; ++j) widths.emplace_back((j == 0 ? below : out) + (j == layers ? last_skip : out), out);
    up_blocks.emplace_back(widths, options.attention()[levels - 1 - i] ? layers + 1 : 0,
                           i + 1 < levels ? Resample::up : Resample::none, embedding, options);
    up_list->push_back(up_blocks.back());
  }
  conv_norm_out = register_module("conv_norm_out", make_norm(options.norm_groups(), channels[0], kNormEps));
  conv_out = register_module("conv_out", conv3x3(channels[0], options.channels()));
}

at::Tensor UNetImpl::forward(const at::Tensor& x, const at::Tensor& timesteps, const at::Tensor& classes) {
  auto embedding = timestep_embedding(timesteps, options.block_channels()[0]).to(linear_1->weight.scalar_type());
  embedding = linear_2(at::silu(linear_1(embedding))) + class_embedding(classes);  // [B, 4 * block_channels[0]]
  embedding = at::silu(embedding);  // every residual block starts from the activated embedding

  auto h = conv_in(x);
  std::vector<at::Tensor> skips{h};
  for (auto& level : down_blocks) {
    for (size_t j = 0; j < level->resnets.size(); ++j) {
      h = level->resnets[j](h, embedding);
      if (!level->attentions.empty()) h = level->attentions[j](h);
      skips.push_back(h);
    }
    if (level->sampler) {
      h = level->sampler(h);
      skips.push_back(h);
    }
  }

  h = mid_block->resnets[0](h, embedding);
  h = mid_block->attentions[0](h);
  h = mid_block->resnets[1](h, embedding);

  for (auto& level : up_blocks) {
    for (size_t j = 0; j < level->resnets.size(); ++j) {
      h = level->resnets[j](at::cat({h, skips.back()}, 1), embedding);
      skips.pop_back();
      if (!level->attentions.empty()) h = level->attentions[j](h);
    }
    if (level->merged_upsampler.defined()) {
      h = upsample_conv(h, level->merged_upsampler, level->sampler->bias);
    } else if (level->sampler) {
      h = level->sampler(at::upsample_nearest2d(h, {h.size(2) * 2, h.size(3) * 2}));
    }
  }
  return conv_out(normalise(conv_norm_out, h, true));
}

void UNetImpl::merge_upsamplers(at::ScalarType dtype) {
  torch::NoGradGuard no_grad;
  for (auto& level : up_blocks) {
    if (!level->sampler) continue;
    level->merged_upsampler = merge_upsample_conv(level->sampler->weight).to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
  }
}

int64_t UNetImpl::activation_bytes(int64_t image_size, int64_t element_bytes) const {
  const auto& channels = options.block_channels();
  // Per residual block: input, normalised input, hidden, normalised hidden; per attention: norm, q, k, v, output.
  int64_t elements = 0;
  for (size_t i = 0; i < channels.size(); ++i) {
    const auto pixels = (image_size >> i) * (image_size >> i);
    const auto blocks = 2 * options.layers_per_block() + 1 + (i + 1 == channels.size() ? 2 : 0);
    const auto per_block = 6 + (options.attention()[i] ? 6 : 0);
    elements += blocks * per_block * channels[i] * pixels;
  }
  return elements * element_bytes;
}

}  // namespace sparring
