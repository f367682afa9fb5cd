#include "models/unet_blocks.h"

#include "models/nested.h"
#include "models/unet_layers.h"
#include "ops/attention.h"
#include "ops/linear.h"

namespace sparring {

using torch::nn::Linear;

// ---------------------------------------------------------------- residual block

ResnetBlockImpl::ResnetBlockImpl(int64_t in, int64_t out, int64_t embedding, int64_t groups, double eps) {
  norm1 = register_module("norm1", make_group_norm(groups, in, eps));
  conv1 = register_module("conv1", freezable_conv3x3(in, out));
  if (embedding > 0) time_emb_proj = register_module("time_emb_proj", Linear(embedding, out));
  norm2 = register_module("norm2", make_group_norm(groups, out, eps));
  conv2 = register_module("conv2", freezable_conv3x3(out, out));
  if (in != out) conv_shortcut = register_module("conv_shortcut", conv1x1(in, out));
}

at::Tensor ResnetBlockImpl::forward(const at::Tensor& x, const at::Tensor& activated_embedding) {
  auto h = conv1(normalise(norm1, x, true));
  if (time_emb_proj) h = h + time_emb_proj(activated_embedding).unsqueeze(2).unsqueeze(3);
  h = conv2(normalise(norm2, h, true));
  return h + (conv_shortcut ? conv_shortcut->forward(x) : x);
}

// ---------------------------------------------------------------- self-attention

AttentionBlockImpl::AttentionBlockImpl(int64_t channels, int64_t heads, int64_t groups, double eps) : heads(heads) {
  group_norm = register_module("group_norm", make_group_norm(groups, channels, eps));
  to_q = register_module("to_q", Linear(channels, channels));
  to_k = register_module("to_k", Linear(channels, channels));
  to_v = register_module("to_v", Linear(channels, channels));
  to_out = register_nested(*this, {"to_out", "0"}, Linear(channels, channels));
}

at::Tensor AttentionBlockImpl::forward(const at::Tensor& x, const at::Tensor&) {
  const auto tokens = normalise(group_norm, x, false).flatten(2).transpose(1, 2);  // [B, H*W, C]
  const auto attended = multi_head_attention(linear(to_q, tokens), linear(to_k, tokens), linear(to_v, tokens), heads);
  // [B, H*W, C] is channels-last memory already: the view costs nothing.
  return x + linear(to_out, attended).transpose(1, 2).view(x.sizes());
}

}  // namespace sparring
