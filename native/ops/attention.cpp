#include "ops/attention.h"

#include <cmath>
#include <limits>

namespace sparring {
namespace {

// Above this size the [queries, keys] matrix outweighs what the flash kernel costs.
constexpr int64_t kLargestPlain = 1024 * 1024;

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal) {
  if (q.is_cuda() || q.size(2) * k.size(2) > kLargestPlain) return at::scaled_dot_product_attention(q, k, v, {}, /*dropout_p=*/0, causal);
  const auto scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  auto scores = at::matmul(q * scale, k.transpose(2, 3));  // [B, heads, queries, keys]
  if (causal) {
    const auto later = at::ones({q.size(2), k.size(2)}, q.options().dtype(at::kBool)).triu(1);
    scores = scores.masked_fill(later, -std::numeric_limits<double>::infinity());
  }
  return at::matmul(at::softmax(scores, -1), v);
}

at::Tensor biased_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias) {
  if (q.is_cuda()) return at::scaled_dot_product_attention(q, k, v, bias.unsqueeze(0).expand({q.size(0), -1, -1, -1}));
  const auto scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  return at::matmul(at::softmax(at::matmul(q * scale, k.transpose(2, 3)) + bias, -1), v);
}

at::Tensor multi_head_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads) {
  const auto batch = q.size(0), channels = q.size(2);
  const auto split = [&](const at::Tensor& x) {
    return x.view({batch, -1, heads, channels / heads}).transpose(1, 2);  // [B, heads, tokens, d]
  };
  return attention(split(q), split(k), split(v)).transpose(1, 2).reshape({batch, -1, channels});
}

}  // namespace sparring
