// Work is split into blocks of tiles. A block's tiles are transformed, multiplied position by position with the weights, and
// transformed back while they are in the cache; only the weights come from further away.
#include "ops/cpu/winograd_kernel.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "ops/cpu/winograd_tiles.h"

namespace sparring::cpu {
namespace {

constexpr int64_t kScratchFloats = 1 << 18;  // of a block, about; both halves of it are to stay in the second cache
constexpr int64_t kFewTiles = 24;            // of a block, so that the weights are used often enough once they are there
constexpr int64_t kCachedWeights = 1 << 17;  // of a position: more do not stay in the second cache, nor those of all positions in the third
constexpr int64_t kManyTiles = 72;           // in place of the other with more weights than those, which come from further away

// Multiples of 64 bytes, but not of 4096, at which the positions of a tile would meet in the same few places of the cache.
int64_t position_stride(int64_t tiles, int64_t channels) {
  const int64_t floats = tiles * channels;
  return floats + (floats % 1024 == 0 ? kLanes : 0);
}

// Kept by each thread: to allocate it anew at every call would cost as much as a small convolution.
float* scratch(size_t floats) {
  struct Aligned {
    void operator()(float* memory) const { std::free(memory); }
  };
  static thread_local std::unique_ptr<float, Aligned> memory;
  static thread_local size_t size = 0;
  if (floats > size) {
    memory.reset();
    size = 0;
    const size_t larger = (floats + 1023) / 1024 * 1024;
    memory.reset(static_cast<float*>(std::aligned_alloc(64, larger * sizeof(float))));
    if (!memory) throw std::bad_alloc();
    size = larger;
  }
  return memory.get();
}

template <class T>
void convolve(Scale scale, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& y) {
  const int64_t in = x.size(1), out = y.size(1), columns = weight.size(1) * kPanel;
  const auto& larger = scale == Scale::doubled ? y : x;
  const Tiling tiling{larger.size(2), larger.size(3), at::divup(larger.size(2), kTile), at::divup(larger.size(3), kTile)};
  const int64_t positions = positions_of(scale);
  const int64_t tiles = x.size(0) * tiling.tile_rows * tiling.tile_columns;
  const int64_t least = in * columns > kCachedWeights ? kManyTiles : kFewTiles;
  const int64_t fitting = std::max(least, kScratchFloats / (positions * (in + columns)) / 12 * 12);
  const int64_t share = at::divup(tiles, at::get_num_threads());
  const int64_t block = at::divup(share, at::divup(share, fitting));  // evened out, so that no thread ends long before another
  const int64_t in_stride = position_stride(block, in), out_stride = position_stride(block, columns);
  const auto* pixels = static_cast<const T*>(x.data_ptr());
  auto* result = static_cast<T*>(y.data_ptr());
  const auto* matrices = weight.data_ptr<float>();
  const float* offsets = bias.defined() ? bias.data_ptr<float>() : nullptr;
  at::parallel_for(0, at::divup(tiles, block), 1, [&](int64_t begin, int64_t end) {
    float* const transformed = scratch(static_cast<size_t>(positions * (in_stride + out_stride)));
    float* const products = transformed + positions * in_stride;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i * block, count = std::min(block, tiles - first);
      transform_tiles(scale, pixels, tiling, in, first, count, in_stride, transformed);
      for (int64_t position = 0; position < positions; ++position) {
        multiply_panels(transformed + position * in_stride, matrices + position * in * columns, count, in, columns, products + position * out_stride);
      }
      restore_tiles(scale, products, tiling, out, columns, first, count, out_stride, offsets, result);
    }
  });
}

}  // namespace

bool has_winograd() {
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
  static const bool has = __builtin_cpu_supports("x86-64-v4");
  return has;
#else
  return false;
#endif
}

at::Tensor winograd_weight(const at::Tensor& weight, Scale scale) {
  const at::NoGradGuard no_grad;
  const int64_t out = weight.size(0), in = weight.size(1), panels = at::divup(out, kPanel);
  auto points = at::tensor({6., 0., 0., -4., -4., -4., -4., 4., -4., 1., 2., 4., 1., -2., 4., 0., 0., 24.}, at::kDouble).view({6, 3}) / 24;
  if (scale != Scale::same) points = points.index({at::tensor({0, 1, 3, 4, 5})});
  auto result = at::zeros({positions_of(scale), panels, in, kPanel}, weight.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous));
  for (int64_t panel = 0; panel < panels; ++panel) {  // one by one, since what is fp64 in between takes eight times the memory of the weight
    const int64_t columns = std::min(kPanel, out - panel * kPanel);
    const auto taps = weight.narrow(0, panel * kPanel, columns).to(at::kDouble).permute({2, 3, 1, 0});  // [3, 3, I, columns]
    const auto transformed = at::einsum("ai,ijco,bj->abco", {points, taps, points}).reshape({positions_of(scale), in, columns});
    result.select(1, panel).narrow(2, 0, columns).copy_(transformed);
  }
  return result;
}

at::Tensor winograd_conv(const at::Tensor& x, const at::Tensor& weight, int64_t out_channels, const at::Tensor& bias, Scale scale) {
  const auto scaled = [&](int64_t side) { return scale == Scale::doubled ? side * 2 : scale == Scale::halved ? side / 2 : side; };
  auto y = at::empty({x.size(0), out_channels, scaled(x.size(2)), scaled(x.size(3))}, x.options().memory_format(at::MemoryFormat::ChannelsLast));
  if (x.scalar_type() == at::kFloat) convolve<float>(scale, x, weight, bias, y);
  else convolve<Bf16>(scale, x, weight, bias, y);
  return y;
}

}  // namespace sparring::cpu
