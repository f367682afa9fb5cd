// Work is split into blocks of tiles. A block's tiles are transformed, multiplied position by position with the weights, and
// transformed back while they are in the cache; only the weights come from further away.
#include "ops/cpu/winograd_kernel.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "ops/cpu/lanes.h"
#include "ops/cpu/winograd_products.h"
#include "ops/cpu/winograd_tiles.h"

namespace sparring::cpu {
namespace {

constexpr int64_t kScratchFloats = 1 << 18;  // of a block: both halves of it are to stay in the second cache, unless fewest_tiles() are more
constexpr int64_t kWeightsPerPosition = 100;  // inputs times outputs per position of the larger image: with more, tiles are of four
constexpr int64_t kGradientFloats = 1 << 21;  // of a block of both sides of a weight gradient, about; a position of it stays in the second cache
constexpr int64_t kGroupRows = 256, kGroupFloats = 9 << 15;  // outputs, and sums of all positions, of weight gradients that are computed at a time

// Tiles of a block at least, so that the weights of a position are used often enough once they are there: the more weights, the further away they come from.
int64_t fewest_tiles(int64_t weights) { return weights <= 1 << 15 ? 12 : weights <= 1 << 17 ? 24 : 72; }

// An odd multiple of 64 bytes: at even ones the positions of a tile would meet in a part of the cache, at powers of two in the same few places.
int64_t position_stride(int64_t tiles, int64_t channels) { return (tiles * channels / kLanes | 1) * kLanes; }

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

Tiling tiling_of(int64_t tile, const at::Tensor& images) { return {tile, images.size(0), images.size(2), images.size(3)}; }

int64_t products_of_image(int64_t height, int64_t width, int64_t tile) { return products_of(height, tile) * products_of(width, tile); }

// How many times fewer multiplications there are than in the convolution as it is written: at most 4 with tiles of four, 5.76 of eight.
double saving(int64_t in, int64_t out, int64_t height, int64_t width, at::ScalarType type) {
  return static_cast<double>(9 * height * width) / static_cast<double>(products_of_image(height, width, winograd_tile(in, out, height, width, type)));
}

// The side of the tiles that transformed weights are for.
int64_t tile_of(const at::Tensor& weight, Scale scale) {
  const int64_t tile = weight.size(0) == positions_of(scale, 4) ? 4 : 8;
  TORCH_INTERNAL_ASSERT(weight.size(0) == positions_of(scale, tile));
  return tile;
}

template <class T>
void convolve(Scale scale, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& y) {
  const int64_t in = x.size(1), out = y.size(1);
  const auto& larger = scale == Scale::doubled ? y : x;
  const int64_t tile = tile_of(weight, scale), side = side_of(scale, tile), positions = side * side;
  const auto tiling = tiling_of(tile, larger);
  const int64_t tiles = tiling.count();
  const int64_t fitting = std::max(fewest_tiles(in * out), kScratchFloats / (positions * (in + out)) / 12 * 12);
  const int64_t share = at::divup(tiles, at::get_num_threads());
  const int64_t block = at::divup(share, at::divup(share, fitting));  // evened out, so that no thread ends long before another
  const int64_t in_stride = position_stride(block, in), out_stride = position_stride(block, out);
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
        const auto needing = tiling.needing(point_at(scale, position / side), point_at(scale, position % side), first, count);
        multiply_panels(transformed + position * in_stride + needing.begin * in, matrices + position * weight.stride(0), needing.count, in, out,
                        products + position * out_stride + needing.begin * out);
      }
      restore_tiles(scale, products, tiling, out, first, count, out_stride, offsets, result);
    }
  });
}

// In blocks of tiles: both sides are transformed, and multiplied position by position over the tiles. The products of all blocks are added up
// before the filters are restored, for as many outputs and inputs at a time as the second cache holds.
template <class T>
void differentiate_weight(int64_t tile, const at::Tensor& x, const at::Tensor& dy, const at::Tensor& dweight) {
  const int64_t in = x.size(1), out = dy.size(1), points = points_of(tile), positions = points * points;
  const auto tiling = tiling_of(tile, x);
  const int64_t tiles = tiling.count();
  // No less than the sums are, which are read and written once for each block.
  const int64_t fitting = std::max(fewest_tiles(in * out), std::max(kGradientFloats, positions * in * out) / (positions * (in + out)));
  const int64_t blocks = at::divup(tiles, fitting), block = at::divup(tiles, blocks);
  const int64_t in_stride = position_stride(block, in), out_stride = position_stride(block, out);
  // This thread's, for all: nothing below may ask for its own.
  float* const inputs = scratch(static_cast<size_t>(positions * (in_stride + out_stride)));
  float* const outputs = inputs + positions * in_stride;

  const int64_t rows = std::min(out, kGroupRows), columns = std::min(in, std::max(kPanel, kGroupFloats / positions / rows / kPanel * kPanel));  // of a group
  const int64_t row_groups = at::divup(out, rows), column_groups = at::divup(in, columns), stride = position_stride(rows, columns), group_floats = positions * stride;
  // One group's sums are enough where they are complete after one block.
  const auto sums = at::empty({(blocks == 1 ? 1 : row_groups * column_groups) * group_floats}, x.options().dtype(at::kFloat));
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t first = b * block, count = std::min(block, tiles - first);
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      transform_tiles(Scale::same, static_cast<const T*>(x.const_data_ptr()), tiling, in, first + begin, end - begin, in_stride, inputs + begin * in);
      spread_tiles(static_cast<const T*>(dy.const_data_ptr()), tiling, out, first + begin, end - begin, out_stride, outputs + begin * out);
    });
    for (int64_t group = 0; group < row_groups * column_groups; ++group) {
      const int64_t row = group / column_groups * rows, column = group % column_groups * columns;
      const int64_t group_rows = std::min(rows, out - row), group_columns = std::min(columns, in - column);
      float* const own = sums.mutable_data_ptr<float>() + (blocks == 1 ? 0 : group * group_floats);  // [positions, stride]: of each position [rows, columns]
      at::parallel_for(0, positions, 1, [&](int64_t begin, int64_t end) {
        for (int64_t position = begin; position < end; ++position) {
          const auto needing = tiling.needing(position / points, position % points, first, count);
          multiply_transposed(outputs + position * out_stride + needing.begin * out + row, out, inputs + position * in_stride + needing.begin * in + column, in, group_rows, needing.count,
                              group_columns, b > 0, own + position * stride, columns);
        }
      });
      if (b + 1 < blocks) continue;
      float* const result = dweight.mutable_data_ptr<float>();  // [O, 3, 3, I]
      at::parallel_for(0, group_rows, 8, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) restore_taps(tile, own + i * columns, stride, group_columns, in, result + (row + i) * 9 * in + column);
      });
    }
  }
}

}  // namespace

bool has_winograd() {
#if defined(SPARRING_HAS_AVX512)
  static const bool has = __builtin_cpu_supports("x86-64-v4");
  return has;
#else
  return false;
#endif
}

bool winograd_takes(const at::Tensor& x, at::ScalarType type, int64_t in, int64_t out) {
  return x.is_cpu() && has_winograd() && (type == at::kFloat || type == at::kBFloat16) && x.dim() == 4 && x.numel() > 0 && x.size(1) == in && in % kLanes == 0 && out % kLanes == 0;
}

// Tiles of eight have an error of 3e-5, a fiftieth of what the rounding of a result to bf16 adds. Their weights are 2.8 times as many numbers, which a small batch
// of small images waits for, and a training step transforms.
int64_t winograd_tile(int64_t in, int64_t out, int64_t height, int64_t width, at::ScalarType type) {
  if (type != at::kBFloat16 || in * out > kWeightsPerPosition * height * width) return 4;
  return products_of_image(height, width, 8) < products_of_image(height, width, 4) ? 8 : 4;
}

// As measured in benchmarks/results/2026-11-29-cpu-tiles.md and 2026-11-29-cpu-tiles-of-eight.md. ATen multiplies bf16 twice as fast as fp32, the kernels do not.
bool winograd_pays(int64_t in, int64_t out, int64_t height, int64_t width, at::ScalarType type) {
  const double times = saving(in, out, height, width, type);
  return type == at::kFloat ? times >= 2 : times >= 3.3 && std::min(in, out) >= 32;
}

bool winograd_gradient_pays(int64_t in, int64_t out, int64_t height, int64_t width, at::ScalarType type) { return saving(in, out, height, width, type) >= 2; }

at::Tensor winograd_weight(const at::Tensor& weight, Scale scale, int64_t tile) {
  const at::NoGradGuard no_grad;
  TORCH_INTERNAL_ASSERT(tile == 4 || tile == 8);
  const int64_t out = weight.size(0), in = weight.size(1), panels = at::divup(out, kPanel), positions = positions_of(scale, tile);
  const auto taps = weight.to(at::kFloat).permute({2, 3, 1, 0}).contiguous();  // [3, 3, I, O]
  const int64_t stride = position_stride(panels * in, kPanel);
  const auto result = at::empty({positions * stride}, taps.options()).as_strided({positions, panels, in, kPanel}, {stride, in * kPanel, kPanel, 1});
  const auto* from = taps.const_data_ptr<float>();
  auto* to = result.mutable_data_ptr<float>();
  at::parallel_for(0, panels * in, at::divup(1024, positions), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t column = row / in * kPanel;
      transform_taps(scale, tile, from + row % in * out + column, in * out, std::min(kPanel, out - column), stride, to + row * kPanel);
    }
  });
  return result;
}

at::Tensor winograd_conv(const at::Tensor& x, const at::Tensor& weight, int64_t out_channels, const at::Tensor& bias, Scale scale) {
  const auto scaled = [&](int64_t side) { return scale == Scale::doubled ? side * 2 : scale == Scale::halved ? side / 2 : side; };
  auto y = at::empty({x.size(0), out_channels, scaled(x.size(2)), scaled(x.size(3))}, x.options().memory_format(at::MemoryFormat::ChannelsLast));
  if (x.scalar_type() == at::kFloat) convolve<float>(scale, x, weight, bias, y);
  else convolve<Bf16>(scale, x, weight, bias, y);
  return y;
}

at::Tensor mirrored_filters(const at::Tensor& weight) { return weight.flip({2, 3}).transpose(0, 1); }

at::Tensor winograd_weight_gradient(const at::Tensor& x, const at::Tensor& dy, int64_t tile) {
  const auto dweight = at::empty({dy.size(1), x.size(1), 3, 3}, x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  if (x.scalar_type() == at::kFloat) differentiate_weight<float>(tile, x, dy, dweight);
  else differentiate_weight<Bf16>(tile, x, dy, dweight);
  return dweight;
}

}  // namespace sparring::cpu
