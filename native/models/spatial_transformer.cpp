#include "models/spatial_transformer.h"

#include <cmath>

#include "models/nested.h"
#include "models/unet_layers.h"
#include "ops/attention.h"
#include "ops/geglu.h"
#include "ops/linear.h"

namespace sparring {
namespace {

using torch::nn::LayerNorm;
using torch::nn::LayerNormOptions;
using torch::nn::Linear;
using torch::nn::LinearOptions;

constexpr double kGroupNormEps = 1e-6;  // whatever the residual blocks have
constexpr int64_t kExpansion = 4;       // of the GEGLU network

}  // namespace

// ---------------------------------------------------------------- parts

ProjectionImpl::ProjectionImpl(int64_t in, int64_t out, bool as_convolution) {
  weight = register_parameter("weight", at::empty(as_convolution ? std::vector<int64_t>{out, in, 1, 1} : std::vector<int64_t>{out, in}));
  bias = register_parameter("bias", at::empty({out}));
  // As torch::nn::Linear and Conv2d start.
  torch::nn::init::kaiming_uniform_(weight, std::sqrt(5));
  torch::nn::init::uniform_(bias, -1 / std::sqrt(in), 1 / std::sqrt(in));
}

at::Tensor ProjectionImpl::forward(const at::Tensor& x) { return at::linear(x, weight.flatten(1), bias); }

CrossAttentionImpl::CrossAttentionImpl(int64_t channels, int64_t context_channels, int64_t heads) : heads(heads) {
  to_q = register_module("to_q", Linear(LinearOptions(channels, channels).bias(false)));
  to_k = register_module("to_k", Linear(LinearOptions(context_channels, channels).bias(false)));
  to_v = register_module("to_v", Linear(LinearOptions(context_channels, channels).bias(false)));
  to_out = register_module("to_out", torch::nn::ModuleList(Linear(channels, channels)));
}

at::Tensor CrossAttentionImpl::forward(const at::Tensor& x, const at::Tensor& context) {
  const auto attended = multi_head_attention(to_q(x), to_k(context), to_v(context), heads);
  return at::linear(attended, to_out[0]->as<Linear>()->weight, to_out[0]->as<Linear>()->bias);
}

CrossAttentionBlockImpl::CrossAttentionBlockImpl(int64_t channels, int64_t heads, int64_t text_channels) {
  norm1 = register_module("norm1", LayerNorm(LayerNormOptions({channels})));
  attn1 = register_module("attn1", CrossAttention(channels, channels, heads));
  norm2 = register_module("norm2", LayerNorm(LayerNormOptions({channels})));
  attn2 = register_module("attn2", CrossAttention(channels, text_channels, heads));
  norm3 = register_module("norm3", LayerNorm(LayerNormOptions({channels})));
  expand = register_nested(*this, {"ff", "net", "0", "proj"}, Linear(channels, 2 * kExpansion * channels));
  contract = register_nested(*this, {"ff", "net", "2"}, Linear(kExpansion * channels, channels));
}

at::Tensor CrossAttentionBlockImpl::forward(at::Tensor x, const at::Tensor& text) {
  const auto normalised = norm1(x);
  x = x + attn1(normalised, normalised);
  x = x + attn2(norm2(x), text);
  return x + linear(contract, geglu(linear(expand, norm3(x))));
}

// ---------------------------------------------------------------- between residual blocks

SpatialTransformerImpl::SpatialTransformerImpl(int64_t channels, int64_t heads, int64_t layers, int64_t text_channels,
                                               int64_t groups, bool linear_projection) {
  norm = register_module("norm", make_group_norm(groups, channels, kGroupNormEps));
  proj_in = register_module("proj_in", Projection(channels, channels, !linear_projection));
  auto list = register_module("transformer_blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < layers; ++i) {
    blocks.emplace_back(channels, heads, text_channels);
    list->push_back(blocks.back());
  }
  proj_out = register_module("proj_out", Projection(channels, channels, !linear_projection));
}

at::Tensor SpatialTransformerImpl::forward(const at::Tensor& x, const at::Tensor& text) {
  auto tokens = proj_in(normalise(norm, x, false).flatten(2).transpose(1, 2));  // [B, H*W, C]
  for (auto& block : blocks) tokens = block(tokens, text);
  // [B, H*W, C] is channels-last memory already: the view costs nothing.
  return x + proj_out(tokens).transpose(1, 2).view(x.sizes());
}

}  // namespace sparring
