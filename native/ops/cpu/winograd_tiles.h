// The vectorised loops of winograd_conv, for one block of tiles, and what its callers have to say of the size. Internal to native/ops.
#pragma once

#include <cstdint>

#include "ops/cpu/simd.h"

namespace sparring::cpu {

constexpr int64_t kTile = 4;       // side of a tile of the output
constexpr int64_t kLanes = 16;      // channels at a time
constexpr int64_t kPanel = 32;      // columns of a panel of weights

// What changes the size of the image beside the convolution: nothing, doubling by nearest neighbours before it, or sums of 2x2 pixels
// after it, which is the gradient of doubling. Tiles are those of the larger image.
enum class Scale { same, doubled, halved };

// Of the 6x6 positions of a transformed tile those that are multiplied. What comes in pairs of equal numbers is zero at the third of six, and
// nothing of the third is in the sums of pairs.
constexpr int64_t side_of(Scale scale) { return scale == Scale::same ? 6 : 5; }
constexpr int64_t positions_of(Scale scale) { return side_of(scale) * side_of(scale); }

// Where the tiles of one convolution lie. Tiles are counted over images, rows and columns.
struct Tiling {
  int64_t height, width;        // of the larger image
  int64_t tile_rows, tile_columns;
};

#define SPARRING_DECLARE(T)                                                                                              \
  /* x: [B, H, W, channels] -> out: [positions, stride]: of each position [count, channels], tiles first..first + count - 1. */ \
  void transform_tiles(Scale scale, const T* x, const Tiling& tiling, int64_t channels, int64_t first, int64_t count,    \
                       int64_t stride, float* out);                                                                      \
  /* products: [positions, stride]: of each position [count, pitch] -> the tiles of y: [B, H', W', channels], with bias  \
     [channels] added unless it is null. */                                                                              \
  void restore_tiles(Scale scale, const float* products, const Tiling& tiling, int64_t channels, int64_t pitch,          \
                     int64_t first, int64_t count, int64_t stride, const float* bias, T* y);
SPARRING_DECLARE(float)
SPARRING_DECLARE(Bf16)
#undef SPARRING_DECLARE

// a: [rows, depth], panels: [columns / 32, depth, 32] -> c: [rows, columns]
void multiply_panels(const float* a, const float* panels, int64_t rows, int64_t depth, int64_t columns, float* c);

}  // namespace sparring::cpu
