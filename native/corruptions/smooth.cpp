#include "corruptions/smooth.h"

#include <cmath>

namespace sparring::corruptions {
namespace {

// The half of the kernel from its centre on.
std::vector<double> half_kernel(double sigma, double reach) {
  const auto radius = static_cast<int64_t>(reach * sigma + 0.5);
  std::vector<double> kernel(static_cast<size_t>(radius + 1));
  double sum = 0;
  for (int64_t i = radius; i >= 0; --i) {
    kernel[i] = std::exp(-0.5 / (sigma * sigma) * static_cast<double>(i * i));
    sum += i == 0 ? kernel[i] : 2 * kernel[i];
  }
  for (auto& weight : kernel) weight /= sum;
  return kernel;
}

// out = kernel[0] * centre + the pairs of rows at equal distance, the farthest first as SciPy adds them.
template <typename RowAt>
void weigh(const std::vector<double>& kernel, const RowAt& row_at, int64_t length, double* __restrict out) {
  const double* centre = row_at(0);
  for (int64_t i = 0; i < length; ++i) out[i] = kernel[0] * centre[i];
  for (auto distance = static_cast<int64_t>(kernel.size()) - 1; distance > 0; --distance) {
    const double *before = row_at(-distance), *after = row_at(distance);
    const auto weight = kernel[distance];
#pragma omp simd
    for (int64_t i = 0; i < length; ++i) out[i] += (before[i] + after[i]) * weight;
  }
}

}  // namespace

void smooth(Grid<double>& grid, double sigma, Border border, double reach) {
  if (sigma <= 0) return;
  const auto kernel = half_kernel(sigma, reach);
  const auto side = grid.side, channels = grid.channels, length = grid.row_length();
  const auto radius = static_cast<int64_t>(kernel.size()) - 1;

  Grid<double> vertical(side, channels);
  for (int64_t y = 0; y < side; ++y) {
    weigh(kernel, [&](int64_t offset) { return grid.row(inside(y + offset, side, border)); }, length, vertical.row(y));
  }

  std::vector<double> padded(static_cast<size_t>((side + 2 * radius) * channels));
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = -radius; x < side + radius; ++x) {
      const auto* from = vertical.row(y) + inside(x, side, border) * channels;
      std::copy(from, from + channels, padded.data() + (x + radius) * channels);
    }
    weigh(kernel, [&](int64_t offset) { return padded.data() + (radius + offset) * channels; }, length, grid.row(y));
  }
}

}  // namespace sparring::corruptions
