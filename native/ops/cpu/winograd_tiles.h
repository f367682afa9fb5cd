// The vectorised transforms of Winograd's convolutions, of one block of tiles and of filters, and what their callers have to say of the size.
// They come in sixteens of channels. Internal to native/ops.
#pragma once

#include <cstdint>

#include "ops/cpu/simd.h"
#include "ops/cpu/winograd_tiling.h"

namespace sparring::cpu {

#define SPARRING_DECLARE(T)                                                                                                     \
  /* x: [B, H, W, channels] -> out: [positions, stride]: of each position [count, channels], tiles first..first + count - 1,   \
     undefined for those that do not need it. */                                                                               \
  void transform_tiles(Scale scale, const T* x, const Tiling& tiling, int64_t channels, int64_t first, int64_t count,           \
                       int64_t stride, float* out);                                                                             \
  /* products: [positions, stride]: of each position [count, channels], undefined for tiles that do not need it                 \
     -> the tiles of y: [B, H', W', channels], with bias [channels] added unless it is null. */                                 \
  void restore_tiles(Scale scale, const float* products, const Tiling& tiling, int64_t channels, int64_t first,                 \
                     int64_t count, int64_t stride, const float* bias, T* y);                                                   \
  /* dy: [B, H, W, channels] -> out: [positions, stride]: of each position [count, channels]; the transpose of restore_tiles. */ \
  void spread_tiles(const T* dy, const Tiling& tiling, int64_t channels, int64_t first, int64_t count, int64_t stride, float* out);
SPARRING_DECLARE(float)
SPARRING_DECLARE(Bf16)
#undef SPARRING_DECLARE

// taps: [3, 3, columns] with `pitch` numbers from one tap to the next -> out: [positions, columns] with `stride` numbers from one position
// to the next. columns: a multiple of 16.
void transform_taps(Scale scale, int64_t tile, const float* taps, int64_t pitch, int64_t columns, int64_t stride, float* out);
// sums: [positions, columns] with `stride` numbers from one position to the next -> taps: [3, 3, columns] with `pitch` numbers between taps; the
// transpose of transform_taps.
void restore_taps(int64_t tile, const float* sums, int64_t stride, int64_t columns, int64_t pitch, float* taps);

}  // namespace sparring::cpu
