// Statistics of the columns of a matrix whose rows lie one after the other, as channels-last activations are. Internal to native/ops/cpu.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ops/cpu/norm_rows.h"

namespace sparring::cpu {

constexpr int64_t kFoldedWidth = 128;  // neighbouring positions of narrow layers are folded into rows of up to this many columns
constexpr int64_t kFlushRows = 256;    // rows whose sums are kept in fp32 before they go to double

// `count` arrays of `width` numbers, zero at first.
template <class T>
class Scratch {
 public:
  Scratch(int64_t count, int64_t width) : width_(width), data_(static_cast<std::size_t>(count * width)) {}
  T* operator[](int64_t index) { return data_.data() + index * width_; }

 private:
  int64_t width_;
  std::vector<T> data_;
};

// Adds up each column's mean and sum of squared deviations in one pass. Sums are taken about the mean so far, so that a
// mean far from zero does not cancel the variance; blocks of rows are merged as in Chan et al. 1983.
// x: [rows, width] with `stride` elements from row to row; mean, deviations: [width], zero at first.
template <class T>
void column_moments(const T* x, int64_t rows, int64_t stride, int64_t width, double* mean, double* deviations) {
  Scratch<float> scratch(3, width);
  float *shift = scratch[0], *sum = scratch[1], *squares = scratch[2];
  const int64_t glimpse = std::min<int64_t>(rows, 8);
  sum_rows(x, glimpse, stride, width, shift, sum, squares);
  for (int64_t c = 0; c < width; ++c) shift[c] = sum[c] / static_cast<float>(glimpse);
  for (int64_t row = 0; row < rows; row += kFlushRows) {
    const int64_t block = std::min(kFlushRows, rows - row);
    sum_rows(x + row * stride, block, stride, width, shift, sum, squares);
    const double seen = static_cast<double>(row), per_row = 1.0 / static_cast<double>(block);
    const double share = static_cast<double>(block) / static_cast<double>(row + block);
    for (int64_t c = 0; c < width; ++c) {
      const double offset = sum[c] * per_row, delta = shift[c] + offset - mean[c];
      deviations[c] += std::max(0.0, squares[c] - sum[c] * offset) + delta * delta * seen * share;
      mean[c] += delta * share;
      shift[c] = static_cast<float>(mean[c]);
    }
  }
}

}  // namespace sparring::cpu
