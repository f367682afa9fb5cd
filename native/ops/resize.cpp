#include "ops/resize.h"

#include <algorithm>
#include <cmath>

namespace sparring {
namespace {

double cubic(double x) {
  x = std::abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

// [to, from]: each row the weights of one new pixel, which sum to 1 also where the kernel reaches beyond the image.
at::Tensor resampling(int64_t from, int64_t to) {
  auto matrix = at::zeros({to, from}, at::kDouble);
  auto weights = matrix.accessor<double, 2>();
  const auto scale = static_cast<double>(from) / static_cast<double>(to);
  const auto width = std::max(scale, 1.0);
  for (int64_t i = 0; i < to; ++i) {
    const auto centre = (static_cast<double>(i) + 0.5) * scale;
    for (int64_t j = 0; j < from; ++j) weights[i][j] = cubic((static_cast<double>(j) + 0.5 - centre) / width);
  }
  return (matrix / matrix.sum(1, /*keepdim=*/true)).to(at::kFloat);
}

}  // namespace

at::Tensor resize(const at::Tensor& x, int64_t size) {
  if (x.size(3) == size) return x;
  const auto matrix = resampling(x.size(3), size).to(x.options());
  return at::matmul(at::matmul(matrix, x), matrix.t());
}

}  // namespace sparring
