// The vectorised loops of winograd_conv, for one block of tiles. Internal to native/ops/cpu.
#pragma once

#include <cstdint>

#include "ops/cpu/simd.h"

namespace sparring::cpu {

constexpr int64_t kTile = 4;       // side of a tile of the output
constexpr int64_t kPositions = 36;  // of the 6x6 transformed tile
constexpr int64_t kLanes = 16;      // channels at a time
constexpr int64_t kPanel = 32;      // columns of a panel of weights

// Where the tiles of one convolution lie. Tiles are counted over images, rows and columns.
struct Tiling {
  int64_t height, width;        // of the image
  int64_t tile_rows, tile_columns;
};

#define SPARRING_DECLARE(T)                                                                                            \
  /* x: [B, H, W, channels] -> out: [36, stride]: of each position [count, channels], tiles first..first + count - 1. */ \
  void transform_tiles(const T* x, const Tiling& tiling, int64_t channels, int64_t first, int64_t count,               \
                       int64_t stride, float* out);                                                                    \
  /* products: [36, stride]: of each position [count, pitch] -> the tiles of y: [B, H, W, channels], with bias [channels] \
     added unless it is null. */                                                                                       \
  void restore_tiles(const float* products, const Tiling& tiling, int64_t channels, int64_t pitch, int64_t first,      \
                     int64_t count, int64_t stride, const float* bias, T* y);
SPARRING_DECLARE(float)
SPARRING_DECLARE(Bf16)
#undef SPARRING_DECLARE

// a: [rows, depth], panels: [columns / 32, depth, 32] -> c: [rows, columns]
void multiply_panels(const float* a, const float* panels, int64_t rows, int64_t depth, int64_t columns, float* c);

}  // namespace sparring::cpu
