// Vectors of GCC's vector extension; everything here runs on AVX-512 only, which the caller has made sure of.
#include "ops/cpu/winograd_tiles.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define SPARRING_AVX512 __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
#else
#define SPARRING_AVX512
#endif

namespace sparring::cpu {
namespace {

using Vec = float __attribute__((vector_size(64)));
using Words = uint32_t __attribute__((vector_size(64)));
using Halves = uint16_t __attribute__((vector_size(32)));

SPARRING_INLINE SPARRING_AVX512 void load_lanes(const float* from, Vec& to) { std::memcpy(&to, from, sizeof(to)); }
SPARRING_INLINE SPARRING_AVX512 void load_lanes(const Bf16* from, Vec& to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof(halves));
  to = (Vec)(__builtin_convertvector(halves, Words) << 16);
}
SPARRING_INLINE SPARRING_AVX512 void store_lanes(float* to, const Vec& from) { std::memcpy(to, &from, sizeof(from)); }
SPARRING_INLINE SPARRING_AVX512 void store_lanes(Bf16* to, const Vec& from) {
  const auto bits = (Words)from;
  const Words nearest_even = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const Words nan = nearest_even * 0 + 0x7fc0;  // rounding could carry a NaN over into a number
  const Halves halves = __builtin_convertvector(from == from ? nearest_even : nan, Halves);
  std::memcpy(to, &halves, sizeof(halves));
}

// One dimension of the transforms, with the interpolation points 0, 1, -1, 2, -2.
// to = B^T d
SPARRING_INLINE SPARRING_AVX512 void transform_line(const Vec d[6], Vec to[6]) {
  const Vec even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
  const Vec even2 = d[4] - d[2], odd2 = 2 * (d[3] - d[1]);
  to[0] = 4 * d[0] - 5 * d[2] + d[4];
  to[1] = even + odd;
  to[2] = even - odd;
  to[3] = even2 + odd2;
  to[4] = even2 - odd2;
  to[5] = 4 * d[1] - 5 * d[3] + d[5];
}
// to = A^T m
SPARRING_INLINE SPARRING_AVX512 void restore_line(const Vec m[6], Vec to[4]) {
  const Vec sum1 = m[1] + m[2], difference1 = m[1] - m[2];
  const Vec sum2 = m[3] + m[4], difference2 = m[3] - m[4];
  to[0] = m[0] + sum1 + sum2;
  to[1] = difference1 + 2 * difference2;
  to[2] = sum1 + 4 * sum2;
  to[3] = difference1 + 8 * difference2 + m[5];
}

SPARRING_INLINE SPARRING_AVX512 void add_pairs(Vec line[4]) {
  line[0] += line[1];
  line[1] = line[2] + line[3];
}

// The image and the first row and column of a tile.
struct Place {
  int64_t image, row, column;
  Place(const Tiling& tiling, int64_t tile)
      : image(tile / (tiling.tile_rows * tiling.tile_columns)),
        row(tile / tiling.tile_columns % tiling.tile_rows * kTile),
        column(tile % tiling.tile_columns * kTile) {}
};

// Where position i of a line of six is among those that are multiplied, or -1.
constexpr int64_t slot(Scale scale, int64_t i) { return scale == Scale::same || i < 2 ? i : i == 2 ? -1 : i - 1; }

template <Scale scale, class T>
SPARRING_INLINE SPARRING_AVX512 void transform(const T* x, const Tiling& tiling, int64_t channels, int64_t first, int64_t count,
                                               int64_t stride, float* out) {
  for (int64_t tile = 0; tile < count; ++tile) {
    const Place place(tiling, first + tile);
    constexpr int shift = scale == Scale::doubled ? 1 : 0;  // from the larger image to x
    const int64_t width = tiling.width >> shift;
    const T* const image = x + place.image * (tiling.height >> shift) * width * channels;
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec half[6][6];  // columns transformed: [column][position]
      for (int64_t j = 0; j < 6; ++j) {
        Vec d[6];
        const int64_t column = place.column + j - 1;
#pragma GCC unroll 6
        for (int64_t i = 0; i < 6; ++i) {
          const int64_t row = place.row + i - 1;
          if (row < 0 || row >= tiling.height || column < 0 || column >= tiling.width) d[i] = Vec{};
          else load_lanes(image + ((row >> shift) * width + (column >> shift)) * channels + c, d[i]);
        }
        transform_line(d, half[j]);
      }
      for (int64_t i = 0; i < 6; ++i) {
        if (slot(scale, i) < 0) continue;
        const Vec d[6] = {half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]};
        Vec to[6];
        transform_line(d, to);
#pragma GCC unroll 6
        for (int64_t j = 0; j < 6; ++j) {
          if (slot(scale, j) >= 0) store_lanes(out + (side_of(scale) * slot(scale, i) + slot(scale, j)) * stride + tile * channels + c, to[j]);
        }
      }
    }
  }
}

template <Scale scale, class T>
SPARRING_INLINE SPARRING_AVX512 void restore(const float* products, const Tiling& tiling, int64_t channels, int64_t pitch, int64_t first,
                                             int64_t count, int64_t stride, const float* bias, T* y) {
  for (int64_t tile = 0; tile < count; ++tile) {
    const Place place(tiling, first + tile);
    constexpr int shift = scale == Scale::halved ? 1 : 0;  // from the larger image to y
    const int64_t width = tiling.width >> shift, row = place.row >> shift, column = place.column >> shift;
    T* const image = y + place.image * (tiling.height >> shift) * width * channels;
    const int64_t rows = std::min(kTile, tiling.height - place.row) >> shift, columns = std::min(kTile, tiling.width - place.column) >> shift;
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec half[6][4] = {};  // rows of positions restored: [row][column of the tile]
      for (int64_t i = 0; i < 6; ++i) {
        if (slot(scale, i) < 0) continue;
        Vec m[6] = {};
#pragma GCC unroll 6
        for (int64_t j = 0; j < 6; ++j) {
          if (slot(scale, j) >= 0) load_lanes(products + (side_of(scale) * slot(scale, i) + slot(scale, j)) * stride + tile * pitch + c, m[j]);
        }
        restore_line(m, half[i]);
        if constexpr (scale == Scale::halved) add_pairs(half[i]);
      }
      Vec offset{};
      if (bias) load_lanes(bias + c, offset);
      for (int64_t j = 0; j < columns; ++j) {
        const Vec m[6] = {half[0][j], half[1][j], half[2][j], half[3][j], half[4][j], half[5][j]};
        Vec to[4];
        restore_line(m, to);
        if constexpr (scale == Scale::halved) add_pairs(to);
        for (int64_t i = 0; i < rows; ++i) store_lanes(image + ((row + i) * width + column + j) * channels + c, to[i] + offset);
      }
    }
  }
}

// c[rows, 32] = a[rows, depth] b[depth, 32], accumulated in registers.
template <int rows>
SPARRING_AVX512 void multiply(const float* a, const float* b, int64_t depth, float* c, int64_t pitch) {
  Vec sums[rows][2];
#pragma GCC unroll 12
  for (int row = 0; row < rows; ++row) sums[row][0] = sums[row][1] = Vec{};
  for (int64_t k = 0; k < depth; ++k) {
    Vec left, right;
    load_lanes(b + k * kPanel, left);
    load_lanes(b + k * kPanel + kLanes, right);
#pragma GCC unroll 12  // or the sums would not stay in registers
    for (int row = 0; row < rows; ++row) {
      const float value = a[row * depth + k];
      sums[row][0] += value * left;
      sums[row][1] += value * right;
    }
  }
#pragma GCC unroll 12
  for (int row = 0; row < rows; ++row) {
    store_lanes(c + row * pitch, sums[row][0]);
    store_lanes(c + row * pitch + kLanes, sums[row][1]);
  }
}

constexpr int64_t kRows = 12;  // two vectors each leave registers for the weights

using Multiply = void (*)(const float*, const float*, int64_t, float*, int64_t);
constexpr Multiply kMultiply[kRows + 1] = {nullptr,     multiply<1>, multiply<2>, multiply<3>,  multiply<4>,  multiply<5>, multiply<6>,
                                           multiply<7>, multiply<8>, multiply<9>, multiply<10>, multiply<11>, multiply<12>};

}  // namespace

#define SPARRING_DEFINE(T)                                                                                                                      \
  SPARRING_AVX512 void transform_tiles(Scale scale, const T* x, const Tiling& tiling, int64_t channels, int64_t first, int64_t count,           \
                                       int64_t stride, float* out) {                                                                            \
    switch (scale) {                                                                                                                            \
      case Scale::same: return transform<Scale::same>(x, tiling, channels, first, count, stride, out);                                          \
      case Scale::doubled: return transform<Scale::doubled>(x, tiling, channels, first, count, stride, out);                                    \
      case Scale::halved: return transform<Scale::halved>(x, tiling, channels, first, count, stride, out);                                      \
    }                                                                                                                                           \
  }                                                                                                                                             \
  SPARRING_AVX512 void restore_tiles(Scale scale, const float* products, const Tiling& tiling, int64_t channels, int64_t pitch, int64_t first,  \
                                     int64_t count, int64_t stride, const float* bias, T* y) {                                                  \
    switch (scale) {                                                                                                                            \
      case Scale::same: return restore<Scale::same>(products, tiling, channels, pitch, first, count, stride, bias, y);                          \
      case Scale::doubled: return restore<Scale::doubled>(products, tiling, channels, pitch, first, count, stride, bias, y);                    \
      case Scale::halved: return restore<Scale::halved>(products, tiling, channels, pitch, first, count, stride, bias, y);                      \
    }                                                                                                                                           \
  }
SPARRING_DEFINE(float)
SPARRING_DEFINE(Bf16)
#undef SPARRING_DEFINE

void multiply_panels(const float* a, const float* panels, int64_t rows, int64_t depth, int64_t columns, float* c) {
  for (int64_t column = 0; column < columns; column += kPanel, panels += depth * kPanel) {
    for (int64_t row = 0; row < rows; row += kRows) {
      kMultiply[std::min(kRows, rows - row)](a + row * depth, panels, depth, c + row * columns + column, columns);
    }
  }
}

}  // namespace sparring::cpu
