#include "ops/cpu/winograd_tiles.h"

#include <algorithm>

#include "ops/cpu/lanes.h"
#include "ops/cpu/winograd_lines.h"

namespace sparring::cpu {
namespace {

template <int64_t tile>
SPARRING_INLINE SPARRING_AVX512 void add_pairs(Vec (&line)[tile]) {
#pragma GCC unroll 4
  for (int64_t i = 0; i < tile / 2; ++i) line[i] = line[2 * i] + line[2 * i + 1];
}

template <Scale scale, int64_t tile, class T>
SPARRING_INLINE SPARRING_AVX512 void transform(const T* x, const Tiling& tiling, int64_t channels, int64_t first, int64_t count,
                                               int64_t stride, float* out) {
  constexpr int64_t points = points_of(tile), side = side_of(scale, tile);
  constexpr int shift = scale == Scale::doubled ? 1 : 0;  // from the larger image to x
  const int64_t width = tiling.width >> shift;
  for (int64_t index = 0; index < count; ++index) {
    const auto place = tiling.place(first + index);
    const T* lines[points];  // of the image, or null outside of it
    for (int64_t i = 0; i < points; ++i) {
      const int64_t row = place.row + i - 1;
      const bool is_outside = row < 0 || row >= tiling.height;
      lines[i] = is_outside ? nullptr : x + (place.image * (tiling.height >> shift) + (row >> shift)) * width * channels;
    }
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec half[points][points];  // columns transformed: [column][point]
      for (int64_t j = 0; j < points; ++j) {
        const int64_t column = place.column + j - 1;
        if (column < 0 || column >= tiling.width) {
          std::fill(half[j], half[j] + points, Vec{});
          continue;
        }
        const int64_t offset = (column >> shift) * channels + c;
        Vec d[points] = {};
#pragma GCC unroll 10
        for (int64_t i = 0; i < points; ++i) {
          if (lines[i]) load_lanes(lines[i] + offset, d[i]);
        }
        transform_line<tile>(place.rows, d, half[j]);
      }
      for (int64_t i = 0; i < points; ++i) {
        if (slot(scale, i) < 0 || !is_needed(i, place.rows, tile)) continue;
        Vec d[points], to[points];
#pragma GCC unroll 10
        for (int64_t j = 0; j < points; ++j) d[j] = half[j][i];
        transform_line<tile>(place.columns, d, to);
#pragma GCC unroll 10
        for (int64_t j = 0; j < points; ++j) {
          if (slot(scale, j) >= 0) store_lanes(out + (side * slot(scale, i) + slot(scale, j)) * stride + index * channels + c, to[j]);
        }
      }
    }
  }
}

template <Scale scale, int64_t tile, class T>
SPARRING_INLINE SPARRING_AVX512 void restore(const float* products, const Tiling& tiling, int64_t channels, int64_t first,
                                             int64_t count, int64_t stride, const float* bias, T* y) {
  constexpr int64_t points = points_of(tile), side = side_of(scale, tile);
  constexpr int shift = scale == Scale::halved ? 1 : 0;  // from the larger image to y
  const int64_t width = tiling.width >> shift;
  for (int64_t index = 0; index < count; ++index) {
    const auto place = tiling.place(first + index);
    const int64_t row = place.row >> shift, column = place.column >> shift;
    T* const image = y + place.image * (tiling.height >> shift) * width * channels;
    const int64_t rows = place.rows >> shift, columns = place.columns >> shift;
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec half[points][tile];  // rows of points restored: [row][column of the tile]
      for (int64_t i = 0; i < points; ++i) {
        if (slot(scale, i) < 0 || !is_needed(i, place.rows, tile)) {
          std::fill(half[i], half[i] + tile, Vec{});
          continue;
        }
        Vec m[points];
#pragma GCC unroll 10
        for (int64_t j = 0; j < points; ++j) {
          if (slot(scale, j) < 0) m[j] = Vec{};
          else load_lanes(products + (side * slot(scale, i) + slot(scale, j)) * stride + index * channels + c, m[j]);
        }
        restore_line<tile>(place.columns, m, half[i]);
        if constexpr (scale == Scale::halved) add_pairs(half[i]);
      }
      Vec offset{};
      if (bias) load_lanes(bias + c, offset);
      for (int64_t j = 0; j < columns; ++j) {
        Vec m[points], to[tile];
#pragma GCC unroll 10
        for (int64_t i = 0; i < points; ++i) m[i] = half[i][j];
        restore_line<tile>(place.rows, m, to);
        if constexpr (scale == Scale::halved) add_pairs(to);
#pragma GCC unroll 8
        for (int64_t i = 0; i < tile; ++i) {
          if (i < rows) store_lanes(image + ((row + i) * width + column + j) * channels + c, to[i] + offset);
        }
      }
    }
  }
}

template <int64_t tile, class T>
SPARRING_INLINE SPARRING_AVX512 void spread(const T* dy, const Tiling& tiling, int64_t channels, int64_t first, int64_t count, int64_t stride,
                                            float* out) {
  constexpr int64_t points = points_of(tile);
  for (int64_t index = 0; index < count; ++index) {
    const auto place = tiling.place(first + index);
    const T* const image = dy + place.image * tiling.height * tiling.width * channels;
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vec half[tile][points];  // columns spread: [column][point]
      for (int64_t j = 0; j < tile; ++j) {
        Vec y[tile] = {};
        if (j < place.columns) {
#pragma GCC unroll 8
          for (int64_t i = 0; i < tile; ++i) {
            if (i < place.rows) load_lanes(image + ((place.row + i) * tiling.width + place.column + j) * channels + c, y[i]);
          }
        }
        spread_line<tile>(place.rows, y, half[j]);
      }
      for (int64_t i = 0; i < points; ++i) {
        if (!is_needed(i, place.rows, tile)) continue;
        Vec y[tile], to[points];
#pragma GCC unroll 8
        for (int64_t j = 0; j < tile; ++j) y[j] = half[j][i];
        spread_line<tile>(place.columns, y, to);
#pragma GCC unroll 10
        for (int64_t j = 0; j < points; ++j) store_lanes(out + (points * i + j) * stride + index * channels + c, to[j]);
      }
    }
  }
}

template <Scale scale, int64_t tile>
SPARRING_INLINE SPARRING_AVX512 void transform_weights(const float* taps, int64_t pitch, int64_t columns, int64_t stride, float* out) {
  constexpr int64_t points = points_of(tile), side = side_of(scale, tile);
  for (int64_t c = 0; c < columns; c += kLanes) {
    Vec half[3][points];  // [column][point]
    for (int64_t j = 0; j < 3; ++j) {
      Vec g[3];
#pragma GCC unroll 3
      for (int64_t i = 0; i < 3; ++i) load_lanes(taps + (3 * i + j) * pitch + c, g[i]);
      Line<tile>::transform_taps(g, half[j]);
    }
    for (int64_t i = 0; i < points; ++i) {
      if (slot(scale, i) < 0) continue;
      const Vec g[3] = {half[0][i], half[1][i], half[2][i]};
      Vec to[points];
      Line<tile>::transform_taps(g, to);
#pragma GCC unroll 10
      for (int64_t j = 0; j < points; ++j) {
        if (slot(scale, j) >= 0) store_lanes(out + (side * slot(scale, i) + slot(scale, j)) * stride + c, to[j]);
      }
    }
  }
}

template <int64_t tile>
SPARRING_INLINE SPARRING_AVX512 void restore_weights(const float* sums, int64_t stride, int64_t columns, int64_t pitch, float* taps) {
  constexpr int64_t points = points_of(tile);
  for (int64_t c = 0; c < columns; c += kLanes) {
    Vec half[points][3];  // rows of points restored: [row][column of the filter]
    for (int64_t i = 0; i < points; ++i) {
      Vec m[points];
#pragma GCC unroll 10
      for (int64_t j = 0; j < points; ++j) load_lanes(sums + (points * i + j) * stride + c, m[j]);
      Line<tile>::restore_taps(m, half[i]);
    }
    for (int64_t j = 0; j < 3; ++j) {
      Vec m[points], to[3];
#pragma GCC unroll 8
      for (int64_t i = 0; i < points; ++i) m[i] = half[i][j];
      Line<tile>::restore_taps(m, to);
#pragma GCC unroll 3
      for (int64_t i = 0; i < 3; ++i) store_lanes(taps + (3 * i + j) * pitch + c, to[i]);
    }
  }
}

}  // namespace

// return function<scale, tile>(...)
#define SPARRING_WITH_SCALE(scale, tile, function, ...)                    \
  switch (scale) {                                                         \
    case Scale::same: return function<Scale::same, tile>(__VA_ARGS__);     \
    case Scale::doubled: return function<Scale::doubled, tile>(__VA_ARGS__); \
    case Scale::halved: return function<Scale::halved, tile>(__VA_ARGS__);   \
  }
#define SPARRING_WITH_TILE(scale, tile, function, ...)                                   \
  switch (tile) {                                                                        \
    case 4: SPARRING_WITH_SCALE(scale, 4, function, __VA_ARGS__) break;                  \
    case 8: SPARRING_WITH_SCALE(scale, 8, function, __VA_ARGS__) break;                  \
  }
#define SPARRING_DEFINE(T)                                                                                                             \
  SPARRING_AVX512 void transform_tiles(Scale scale, const T* x, const Tiling& tiling, int64_t channels, int64_t first, int64_t count,  \
                                       int64_t stride, float* out) {                                                                   \
    SPARRING_WITH_TILE(scale, tiling.tile, transform, x, tiling, channels, first, count, stride, out)                                  \
  }                                                                                                                                    \
  SPARRING_AVX512 void restore_tiles(Scale scale, const float* products, const Tiling& tiling, int64_t channels, int64_t first,        \
                                     int64_t count, int64_t stride, const float* bias, T* y) {                                         \
    SPARRING_WITH_TILE(scale, tiling.tile, restore, products, tiling, channels, first, count, stride, bias, y)                         \
  }                                                                                                                                    \
  SPARRING_AVX512 void spread_tiles(const T* dy, const Tiling& tiling, int64_t channels, int64_t first, int64_t count, int64_t stride, \
                                    float* out) {                                                                                      \
    switch (tiling.tile) {                                                                                                             \
      case 4: return spread<4>(dy, tiling, channels, first, count, stride, out);                                                       \
      case 8: return spread<8>(dy, tiling, channels, first, count, stride, out);                                                       \
    }                                                                                                                                  \
  }
SPARRING_DEFINE(float)
SPARRING_DEFINE(Bf16)
#undef SPARRING_DEFINE

SPARRING_AVX512 void transform_taps(Scale scale, int64_t tile, const float* taps, int64_t pitch, int64_t columns, int64_t stride, float* out) {
  SPARRING_WITH_TILE(scale, tile, transform_weights, taps, pitch, columns, stride, out)
}
#undef SPARRING_WITH_TILE
#undef SPARRING_WITH_SCALE

SPARRING_AVX512 void restore_taps(int64_t tile, const float* sums, int64_t stride, int64_t columns, int64_t pitch, float* taps) {
  switch (tile) {
    case 4: return restore_weights<4>(sums, stride, columns, pitch, taps);
    case 8: return restore_weights<8>(sums, stride, columns, pitch, taps);
  }
}

}  // namespace sparring::cpu
