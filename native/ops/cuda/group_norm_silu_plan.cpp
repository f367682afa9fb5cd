#include <algorithm>
#include <numeric>

#include "ops/cuda/group_norm_silu_kernel.h"

namespace sparring::cuda {
namespace {

constexpr int kBusyBlocks = 132;          // blocks that keep a large GPU busy when each has much to do
constexpr int kChunkBlocks = 1024;        // blocks that hide each other's latency when each streams its part once
constexpr int kWholeThreads = 512, kChunkThreads = 256;
constexpr int kWidestColumns = 64;
// Vectors of a block that holds whole groups: few enough that the second reading comes from a cache, and, where blocks
// are few, that one multiprocessor is faster than two more kernels.
constexpr int64_t kWholeVectors = 16384, kLoneVectors = 8192;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

Plan::Plan(const Activation& shape) {
  const int per_16_bytes = shape.bf16 ? 8 : 4;
  vector = shape.aligned && shape.channels % per_16_bytes == 0 ? per_16_bytes : 1;
  const int width = shape.channels / vector;

  // The fewest columns that are whole groups, then wider while there are blocks enough: neighbours share memory sectors.
  columns = std::lcm(shape.channels / shape.groups, vector) / vector;
  runs = width / columns;
  while (runs % 2 == 0 && shape.batch * runs / 2 >= kBusyBlocks && columns * 2 <= kWidestColumns &&
         shape.positions * columns * 2 <= kWholeVectors) {
    columns *= 2;
    runs /= 2;
  }
  const int64_t vectors = shape.positions * columns;
  whole = columns <= kWholeThreads && vectors <= (shape.batch * runs >= kBusyBlocks ? kWholeVectors : kLoneVectors);
  chunks = 1;
  if (!whole) {
    runs = static_cast<int>(divide_up(width, kWidestColumns));
    columns = static_cast<int>(divide_up(width, runs));
    runs = static_cast<int>(divide_up(width, columns));
  }
  rows = static_cast<int>(std::clamp<int64_t>((whole ? kWholeThreads : kChunkThreads) / columns, 1, shape.positions));
  if (!whole) {
    const int64_t wanted = divide_up(kChunkBlocks, shape.batch * runs);
    chunks = static_cast<int>(std::clamp<int64_t>(divide_up(shape.positions, int64_t{8} * rows), 1, wanted));
  }
  chunk = divide_up(shape.positions, chunks);
  chunks = static_cast<int>(divide_up(shape.positions, chunk));
}

int Plan::threads() const { return static_cast<int>(divide_up(rows * columns, 32)) * 32; }

int64_t Plan::workspace(const Activation& shape) const {
  if (whole) return 0;
  return 2 * shape.batch * (int64_t{chunks} * shape.channels + shape.groups);  // sums of the chunks, coefficients of the groups
}

}  // namespace sparring::cuda
