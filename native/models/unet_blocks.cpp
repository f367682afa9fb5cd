#include "models/unet_blocks.h"

#include "ops/attention.h"
#include "ops/group_norm_silu.h"

namespace sparring {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::Linear;

Conv2d conv3x3(int64_t in, int64_t out) { return Conv2d(Conv2dOptions(in, out, 3).padding(1)); }

}  // namespace

torch::nn::GroupNorm make_group_norm(int64_t groups, int64_t channels, double eps) {
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, channels).eps(eps));
}

at::Tensor normalise(const torch::nn::GroupNorm& norm, const at::Tensor& x, bool silu) {
  return group_norm_silu(x, norm->options.num_groups(), norm->weight, norm->bias, norm->options.eps(), silu);
}

// ---------------------------------------------------------------- residual block

ResnetBlockImpl::ResnetBlockImpl(int64_t in, int64_t out, int64_t embedding, int64_t groups, double eps) {
  norm1 = register_module("norm1", make_group_norm(groups, in, eps));
  conv1 = register_module("conv1", conv3x3(in, out));
  time_emb_proj = register_module("time_emb_proj", Linear(embedding, out));
  norm2 = register_module("norm2", make_group_norm(groups, out, eps));
  conv2 = register_module("conv2", conv3x3(out, out));
  if (in != out) conv_shortcut = register_module("conv_shortcut", Conv2d(Conv2dOptions(in, out, 1)));
}

at::Tensor ResnetBlockImpl::forward(const at::Tensor& x, const at::Tensor& activated_embedding) {
  auto h = conv1(normalise(norm1, x, true));
  h = h + time_emb_proj(activated_embedding).unsqueeze(2).unsqueeze(3);
  h = conv2(normalise(norm2, h, true));
  return h + (conv_shortcut ? conv_shortcut->forward(x) : x);
}

// ---------------------------------------------------------------- self-attention

AttentionBlockImpl::AttentionBlockImpl(int64_t channels, int64_t heads, int64_t groups, double eps) : heads(heads) {
  group_norm = register_module("group_norm", make_group_norm(groups, channels, eps));
  to_q = register_module("to_q", Linear(channels, channels));
  to_k = register_module("to_k", Linear(channels, channels));
  to_v = register_module("to_v", Linear(channels, channels));
  to_out = register_module("to_out", torch::nn::ModuleList(Linear(channels, channels)));
}

at::Tensor AttentionBlockImpl::forward(const at::Tensor& x, const at::Tensor&) {
  const auto tokens = normalise(group_norm, x, false).flatten(2).transpose(1, 2);  // [B, H*W, C]
  const auto attended = multi_head_attention(to_q(tokens), to_k(tokens), to_v(tokens), heads);
  // [B, H*W, C] is channels-last memory already: the view costs nothing.
  return x + to_out[0]->as<Linear>()->forward(attended).transpose(1, 2).view(x.sizes());
}

}  // namespace sparring
