#include "ops/cpu/winograd_products.h"

#include <algorithm>

#include "ops/cpu/lanes.h"

namespace sparring::cpu {
namespace {

// sums[rows][vectors] = sum over k < depth of a[row, k] b[k, 16 * vectors], in registers. row_pitch, k_pitch, b_pitch: numbers from one row of a, k of a
// and k of b to the next.
template <int rows, int vectors>
SPARRING_INLINE SPARRING_AVX512 void accumulate(const float* a, int64_t row_pitch, int64_t k_pitch, const float* b, int64_t b_pitch, int64_t depth,
                                                Vec (&sums)[rows][vectors]) {
#pragma GCC unroll 12
  for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sums[row][v] = Vec{};
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vec right[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) load_lanes(b + k * b_pitch + v * kLanes, right[v]);
#pragma GCC unroll 12  // or the sums would not stay in registers
    for (int row = 0; row < rows; ++row) {
      const float value = a[row * row_pitch + k * k_pitch];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) sums[row][v] += value * right[v];
    }
  }
}

// c[rows, 16 * vectors] = a[rows, depth] b[depth, 16 * vectors], of a panel of 32 columns.
template <int rows, int vectors>
SPARRING_AVX512 void multiply(const float* a, const float* b, int64_t depth, float* c, int64_t pitch) {
  Vec sums[rows][vectors];
  accumulate<rows, vectors>(a, depth, 1, b, kPanel, depth, sums);
#pragma GCC unroll 12
  for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) store_lanes(c + row * pitch + v * kLanes, sums[row][v]);
  }
}

constexpr int64_t kSummed = 64;  // products in one sum, before sums are added to each other: the error grows with the root of it

// c[rows, 16 * vectors] = a[depth, rows]^T b[depth, 16 * vectors], added to c if `adds`.
template <int rows, int vectors>
SPARRING_AVX512 void multiply_transposed_tile(const float* a, int64_t a_pitch, const float* b, int64_t b_pitch, int64_t depth, bool adds, float* c,
                                              int64_t c_pitch) {
  int64_t first = 0;
  do {  // once at least: the sum of nothing is zero
    Vec sums[rows][vectors];
    accumulate<rows, vectors>(a + first * a_pitch, 1, a_pitch, b + first * b_pitch, b_pitch, std::min(kSummed, depth - first), sums);
#pragma GCC unroll 12
    for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        Vec before{};
        if (adds) load_lanes(c + row * c_pitch + v * kLanes, before);
        store_lanes(c + row * c_pitch + v * kLanes, before + sums[row][v]);
      }
    }
    first += kSummed;
    adds = true;
  } while (first < depth);
}

constexpr int64_t kRows = 12;  // two vectors each leave registers for the weights

using Multiply = void (*)(const float*, const float*, int64_t, float*, int64_t);
template <int vectors>
constexpr Multiply kMultiply[kRows + 1] = {nullptr, multiply<1, vectors>, multiply<2, vectors>, multiply<3, vectors>, multiply<4, vectors>,
                                           multiply<5, vectors>, multiply<6, vectors>, multiply<7, vectors>, multiply<8, vectors>,
                                           multiply<9, vectors>, multiply<10, vectors>, multiply<11, vectors>, multiply<12, vectors>};

using MultiplyTransposed = void (*)(const float*, int64_t, const float*, int64_t, int64_t, bool, float*, int64_t);
template <int vectors>
constexpr MultiplyTransposed kMultiplyTransposed[kRows / 4 + 1] = {nullptr, multiply_transposed_tile<4, vectors>, multiply_transposed_tile<8, vectors>,
                                                                   multiply_transposed_tile<12, vectors>};

}  // namespace

void multiply_panels(const float* a, const float* panels, int64_t rows, int64_t depth, int64_t columns, float* c) {
  for (int64_t column = 0; column < columns; column += kPanel, panels += depth * kPanel) {
    const auto* const kernels = columns - column < kPanel ? kMultiply<1> : kMultiply<2>;
    for (int64_t row = 0; row < rows; row += kRows) {
      kernels[std::min(kRows, rows - row)](a + row * depth, panels, depth, c + row * columns + column, columns);
    }
  }
}

void multiply_transposed(const float* a, int64_t a_pitch, const float* b, int64_t b_pitch, int64_t rows, int64_t depth, int64_t columns, bool adds,
                         float* c, int64_t c_pitch) {
  for (int64_t column = 0; column < columns; column += kPanel) {
    const auto* const kernels = columns - column < kPanel ? kMultiplyTransposed<1> : kMultiplyTransposed<2>;
    for (int64_t row = 0; row < rows; row += kRows) {  // rows come in fours: channels do
      kernels[std::min(kRows, rows - row) / 4](a + row, a_pitch, b + column, b_pitch, depth, adds, c + row * c_pitch + column, c_pitch);
    }
  }
}

}  // namespace sparring::cpu
