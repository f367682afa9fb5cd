#include "ops/cpu/winograd_tiles.h"

#include "ops/cpu/lanes.h"

namespace sparring::cpu {
namespace {

// One dimension of the transforms, of a tile of so many outputs. What is not needed is undefined, and not read.
// to = B^T d, of four numbers where the outputs are few
SPARRING_INLINE SPARRING_AVX512 void transform_line(int64_t outputs, const Vec d[6], Vec to[6]) {
  if (has_few(outputs)) {
    to[0] = 4 * (d[0] - d[2]);
    to[1] = -3 * (d[2] + d[1]);
    to[2] = -3 * (d[2] - d[1]);
    to[3] = to[4] = Vec{};  // stored all the same
    to[5] = d[3] - d[1];
    return;
  }
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
SPARRING_INLINE SPARRING_AVX512 void restore_line(int64_t outputs, const Vec m[6], Vec to[4]) {
  const Vec sum1 = m[1] + m[2], difference1 = m[1] - m[2];
  if (has_few(outputs)) {
    to[0] = m[0] + sum1;
    to[1] = difference1 + m[5];
    to[2] = to[3] = Vec{};  // added up where the image is halved
    return;
  }
  const Vec sum2 = m[3] + m[4], difference2 = m[3] - m[4];
  to[0] = m[0] + sum1 + sum2;
  to[1] = difference1 + 2 * difference2;
  to[2] = sum1 + 4 * sum2;
  to[3] = difference1 + 8 * difference2 + m[5];
}

// to = A y
SPARRING_INLINE SPARRING_AVX512 void spread_line(int64_t outputs, const Vec y[4], Vec to[6]) {
  if (has_few(outputs)) {
    to[0] = y[0];
    to[1] = y[0] + y[1];
    to[2] = y[0] - y[1];
    to[3] = to[4] = Vec{};  // stored all the same
    to[5] = y[1];
    return;
  }
  const Vec even = y[0] + y[2], odd = y[1] + y[3];
  const Vec even2 = y[0] + 4 * y[2], odd2 = 2 * y[1] + 8 * y[3];
  to[0] = y[0];
  to[1] = even + odd;
  to[2] = even - odd;
  to[3] = even2 + odd2;
  to[4] = even2 - odd2;
  to[5] = y[3];
}
// to = G g
SPARRING_INLINE SPARRING_AVX512 void transform_taps_line(const Vec g[3], Vec to[6]) {
  const Vec even = (g[0] + g[2]) * (-1.0f / 6), odd = g[1] * (1.0f / 6);
  const Vec even2 = (g[0] + 4 * g[2]) * (1.0f / 24), odd2 = g[1] * (1.0f / 12);
  to[0] = g[0] * 0.25f;
  to[1] = even - odd;
  to[2] = even + odd;
  to[3] = even2 + odd2;
  to[4] = even2 - odd2;
  to[5] = g[2];
}
// to = G^T m
SPARRING_INLINE SPARRING_AVX512 void restore_taps_line(const Vec m[6], Vec to[3]) {
  const Vec sum1 = m[1] + m[2], sum2 = m[3] + m[4];
  to[0] = m[0] * 0.25f - sum1 * (1.0f / 6) + sum2 * (1.0f / 24);
  to[1] = (m[2] - m[1]) * (1.0f / 6) + (m[3] - m[4]) * (1.0f / 12);
  to[2] = (sum2 - sum1) * (1.0f / 6) + m[5];
}

SPARRING_INLINE SPARRING_AVX512 void add_pairs(Vec line[4]) {
  line[0] += line[1];
  line[1] = line[2] + line[3];
}

template <Scale scale, class T>
SPARRING_INLINE SPARRING_AVX512 void transform(const T* x, const Tiling& tiling, int64_t channels, int64_t first, int64_t count,
                                               int64_t stride, float* out) {
  for (int64_t tile = 0; tile < count; ++tile) {
    const auto place = tiling.place(first + tile);
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
        transform_line(place.rows, d, half[j]);
      }
      for (int64_t i = 0; i < 6; ++i) {
        if (slot(scale, i) < 0) continue;
        const Vec d[6] = {half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]};
        Vec to[6];
        transform_line(place.columns, d, to);
#pragma GCC unroll 6
        for (int64_t j = 0; j < 6; ++j) {
          if (slot(scale, j) >= 0) store_lanes(out + (side_of(scale) * slot(scale, i) + slot(scale, j)) * stride + tile * channels + c, to[j]);
        }
      }
    }
  }
}

template <Scale scale, class T>
SPARRING_INLINE SPARRING_AVX512 void restore(const float* products, const Tiling& tiling, int64_t channels, int64_t first,
                                             int64_t count, int64_t stride, const float* bias, T* y) {
  for (int64_t tile = 0; tile < count; ++tile) {
    const auto place = tiling.place(first + tile);
    constexpr int shift = scale == Scale::halved ? 1 : 0;  // from the larger image to y
    const int64_t width = tiling.width >> shift, row = place.row >> shift, column = place.column >> shift;
    T* const image = y + place.image * (tiling.height >> shift) * width * channels;
    const int64_t rows = place.rows >> shift, columns = place.columns >> shift;
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec half[6][4] = {};  // rows of positions restored: [row][column of the tile]
      for (int64_t i = 0; i < 6; ++i) {
        if (slot(scale, i) < 0) continue;
        Vec m[6] = {};
#pragma GCC unroll 6
        for (int64_t j = 0; j < 6; ++j) {
          if (slot(scale, j) >= 0) load_lanes(products + (side_of(scale) * slot(scale, i) + slot(scale, j)) * stride + tile * channels + c, m[j]);
        }
        restore_line(place.columns, m, half[i]);
        if constexpr (scale == Scale::halved) add_pairs(half[i]);
      }
      Vec offset{};
      if (bias) load_lanes(bias + c, offset);
      for (int64_t j = 0; j < columns; ++j) {
        const Vec m[6] = {half[0][j], half[1][j], half[2][j], half[3][j], half[4][j], half[5][j]};
        Vec to[4];
        restore_line(place.rows, m, to);
        if constexpr (scale == Scale::halved) add_pairs(to);
        for (int64_t i = 0; i < rows; ++i) store_lanes(image + ((row + i) * width + column + j) * channels + c, to[i] + offset);
      }
    }
  }
}

template <class T>
SPARRING_INLINE SPARRING_AVX512 void spread(const T* dy, const Tiling& tiling, int64_t channels, int64_t first, int64_t count, int64_t stride,
                                            float* out) {
  for (int64_t tile = 0; tile < count; ++tile) {
    const auto place = tiling.place(first + tile);
    const T* const image = dy + place.image * tiling.height * tiling.width * channels;
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec half[4][6] = {};  // columns spread: [column][position]
      for (int64_t j = 0; j < place.columns; ++j) {
        Vec y[4] = {};
        for (int64_t i = 0; i < place.rows; ++i) load_lanes(image + ((place.row + i) * tiling.width + place.column + j) * channels + c, y[i]);
        spread_line(place.rows, y, half[j]);
      }
      for (int64_t i = 0; i < 6; ++i) {
        const Vec y[4] = {half[0][i], half[1][i], half[2][i], half[3][i]};
        Vec to[6];
        spread_line(place.columns, y, to);
#pragma GCC unroll 6
        for (int64_t j = 0; j < 6; ++j) store_lanes(out + (6 * i + j) * stride + tile * channels + c, to[j]);
      }
    }
  }
}

template <Scale scale>
SPARRING_INLINE SPARRING_AVX512 void transform_weights(const float* taps, int64_t pitch, int64_t columns, int64_t stride, float* out) {
  for (int64_t c = 0; c < columns; c += kLanes) {
    Vec half[3][6];  // [column][position]
    for (int64_t j = 0; j < 3; ++j) {
      Vec g[3];
#pragma GCC unroll 3
      for (int64_t i = 0; i < 3; ++i) load_lanes(taps + (3 * i + j) * pitch + c, g[i]);
      transform_taps_line(g, half[j]);
    }
    for (int64_t i = 0; i < 6; ++i) {
      if (slot(scale, i) < 0) continue;
      const Vec g[3] = {half[0][i], half[1][i], half[2][i]};
      Vec to[6];
      transform_taps_line(g, to);
#pragma GCC unroll 6
      for (int64_t j = 0; j < 6; ++j) {
        if (slot(scale, j) >= 0) store_lanes(out + (side_of(scale) * slot(scale, i) + slot(scale, j)) * stride + c, to[j]);
      }
    }
  }
}

}  // namespace

#define SPARRING_DEFINE(T)                                                                                                             \
  SPARRING_AVX512 void transform_tiles(Scale scale, const T* x, const Tiling& tiling, int64_t channels, int64_t first, int64_t count,  \
                                       int64_t stride, float* out) {                                                                   \
    switch (scale) {                                                                                                                   \
      case Scale::same: return transform<Scale::same>(x, tiling, channels, first, count, stride, out);                                 \
      case Scale::doubled: return transform<Scale::doubled>(x, tiling, channels, first, count, stride, out);                           \
      case Scale::halved: return transform<Scale::halved>(x, tiling, channels, first, count, stride, out);                             \
    }                                                                                                                                  \
  }                                                                                                                                    \
  SPARRING_AVX512 void restore_tiles(Scale scale, const float* products, const Tiling& tiling, int64_t channels, int64_t first,        \
                                     int64_t count, int64_t stride, const float* bias, T* y) {                                         \
    switch (scale) {                                                                                                                   \
      case Scale::same: return restore<Scale::same>(products, tiling, channels, first, count, stride, bias, y);                        \
      case Scale::doubled: return restore<Scale::doubled>(products, tiling, channels, first, count, stride, bias, y);                  \
      case Scale::halved: return restore<Scale::halved>(products, tiling, channels, first, count, stride, bias, y);                    \
    }                                                                                                                                  \
  }                                                                                                                                    \
  SPARRING_AVX512 void spread_tiles(const T* dy, const Tiling& tiling, int64_t channels, int64_t first, int64_t count, int64_t stride, \
                                    float* out) {                                                                                      \
    spread(dy, tiling, channels, first, count, stride, out);                                                                           \
  }
SPARRING_DEFINE(float)
SPARRING_DEFINE(Bf16)
#undef SPARRING_DEFINE

SPARRING_AVX512 void transform_taps(Scale scale, const float* taps, int64_t pitch, int64_t columns, int64_t stride, float* out) {
  if (scale == Scale::same) transform_weights<Scale::same>(taps, pitch, columns, stride, out);
  else transform_weights<Scale::doubled>(taps, pitch, columns, stride, out);  // halving leaves out the same positions
}

SPARRING_AVX512 void restore_taps(const float* sums, int64_t stride, int64_t columns, int64_t pitch, float* taps) {
  for (int64_t c = 0; c < columns; c += kLanes) {
    Vec half[6][3];  // rows of positions restored: [row][column of the filter]
    for (int64_t i = 0; i < 6; ++i) {
      Vec m[6];
#pragma GCC unroll 6
      for (int64_t j = 0; j < 6; ++j) load_lanes(sums + (6 * i + j) * stride + c, m[j]);
      restore_taps_line(m, half[i]);
    }
    for (int64_t j = 0; j < 3; ++j) {
      const Vec m[6] = {half[0][j], half[1][j], half[2][j], half[3][j], half[4][j], half[5][j]};
      Vec to[3];
      restore_taps_line(m, to);
#pragma GCC unroll 3
      for (int64_t i = 0; i < 3; ++i) store_lanes(taps + (3 * i + j) * pitch + c, to[i]);
    }
  }
}

}  // namespace sparring::cpu
