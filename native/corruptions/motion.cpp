#include "corruptions/motion.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sparring::corruptions {
namespace {

std::vector<double> half_gaussian(int64_t width, double sigma) {
  std::vector<double> kernel(static_cast<size_t>(width));
  double sum = 0;
  for (int64_t i = 0; i < width; ++i) {
    kernel[i] = std::exp(-static_cast<double>(i * i) / (2 * sigma * sigma)) / (std::sqrt(2 * std::numbers::pi) * sigma);
    sum += kernel[i];
  }
  for (auto& weight : kernel) weight /= sum;
  return kernel;
}

// Adds the grid moved right by dx and down by dy; the border's values come in.
void add_moved(const Grid<double>& grid, int64_t dx, int64_t dy, double weight, Grid<double>& sum) {
  const auto side = grid.side, channels = grid.channels;
  const auto begin = std::max<int64_t>(dx, 0), end = std::min(side + dx, side);  // of the columns that come from within
  for (int64_t y = 0; y < side; ++y) {
    const double* from = grid.row(inside(y - dy, side, Border::replicate));
    double* to = sum.row(y);
    const auto add = [&](int64_t x, int64_t source) {
      for (int64_t c = 0; c < channels; ++c) to[x * channels + c] += weight * from[source * channels + c];
    };
    for (int64_t x = 0; x < begin; ++x) add(x, 0);
    for (int64_t x = end; x < side; ++x) add(x, side - 1);
    const double* within = from + (begin - dx) * channels;
    double* __restrict out = to + begin * channels;
#pragma omp simd
    for (int64_t i = 0; i < (end - begin) * channels; ++i) out[i] += weight * within[i];
  }
}

}  // namespace

Grid<double> motion_blurred(const Grid<double>& grid, int64_t radius, double sigma, double angle) {
  const auto width = 2 * radius + 1;
  const auto kernel = half_gaussian(width, sigma);
  const auto radians = angle * (std::numbers::pi / 180);
  const auto down = static_cast<double>(width) * std::sin(radians), right = static_cast<double>(width) * std::cos(radians);
  const auto length = std::hypot(down, right);
  Grid<double> sum(grid.side, grid.channels);
  for (int64_t i = 0; i < width; ++i) {
    const auto dy = -static_cast<int64_t>(std::ceil(static_cast<double>(i) * down / length - 0.5));
    const auto dx = -static_cast<int64_t>(std::ceil(static_cast<double>(i) * right / length - 0.5));
    if (std::abs(dy) >= grid.side || std::abs(dx) >= grid.side) break;
    add_moved(grid, dx, dy, kernel[i], sum);
  }
  return sum;
}

}  // namespace sparring::corruptions
