#include "ops/attention.h"

#include <cmath>
#include <limits>

namespace sparring {
namespace {

// Above this many tokens the [tokens, tokens] matrix outweighs what the flash kernel costs.
constexpr int64_t kLongestPlain = 1024;

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal) {
  if (q.is_cuda() || q.size(2) > kLongestPlain) return at::scaled_dot_product_attention(q, k, v, {}, /*dropout_p=*/0, causal);
  const auto scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  auto scores = at::matmul(q * scale, k.transpose(2, 3));  // [B, heads, tokens, tokens]
  if (causal) {
    const auto later = at::ones({q.size(2), k.size(2)}, q.options().dtype(at::kBool)).triu(1);
    scores = scores.masked_fill(later, -std::numeric_limits<double>::infinity());
  }
  return at::matmul(at::softmax(scores, -1), v);
}

}  // namespace sparring
