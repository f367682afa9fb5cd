#include "ops/upsample_conv.h"

namespace sparring {

at::Tensor merge_upsample_conv(const at::Tensor& weight) {
  TORCH_CHECK(weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3,
              "merge_upsample_conv: expected a weight [O, I, 3, 3], found ", weight.sizes());
  const auto type = weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  // Output row 2i reads small rows i-1 (tap 0) and i (taps 1 + 2); row 2i+1 reads i (taps 0 + 1) and i+1 (tap 2).
  // Tap k of the transposed convolution takes row i to row 2i - 1 + k.
  const auto taps = at::tensor({0, 0, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0}, weight.options().dtype(type)).view({4, 3});
  const auto merged = at::matmul(at::matmul(taps, weight.to(type)), taps.t());  // [O, I, 4, 4]
  return merged.transpose(0, 1).contiguous().to(weight.scalar_type());
}

at::Tensor upsample_conv(const at::Tensor& x, const at::Tensor& merged, const at::Tensor& bias) {
  return at::conv_transpose2d(x, merged, bias, /*stride=*/2, /*padding=*/1);
}

}  // namespace sparring
