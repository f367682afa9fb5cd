// What a thread does with its column: loads and stores of 16 bytes, loops over positions, sums over a block.
#pragma once

#include <cstdint>

#include <cuda_bf16.h>

#include "ops/cuda/group_norm_silu_kernel.h"

namespace sparring::cuda {

using Bf16 = __nv_bfloat16;

template <class T, int V>
struct alignas(sizeof(T) * V) Column {
  T values[V];
};

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(Bf16 value) { return __bfloat162float(value); }
template <class T>
__device__ inline T from_float(float value);
template <>
__device__ inline float from_float<float>(float value) {
  return value;
}
template <>
__device__ inline Bf16 from_float<Bf16>(float value) {
  return __float2bfloat16_rn(value);
}

template <class T, int V>
__device__ inline Column<T, V> load(const T* pointer) {
  return *reinterpret_cast<const Column<T, V>*>(pointer);
}
template <class T, int V>
__device__ inline void store(T* pointer, const Column<T, V>& column) {
  *reinterpret_cast<Column<T, V>*>(pointer) = column;
}

__device__ inline float load(const Parameter& parameter, int channel) {
  return parameter.bf16 ? to_float(static_cast<const Bf16*>(parameter.values)[channel])
                        : static_cast<const float*>(parameter.values)[channel];
}

// Sigmoid to the accuracy of T.
template <class T>
__device__ inline float sigmoid(float t) {
  if constexpr (sizeof(T) == sizeof(float)) return 1.0f / (1.0f + expf(-t));
  else return __fdividef(1.0f, 1.0f + __expf(-t));  // 0 for a divisor above 2^126
}

// The part of the work that a block has, and the column of it that a thread has.
template <int V>
struct Part {
  int64_t sample, begin, end;  // positions
  int number;                  // of the chunk
  int run, x, y;               // column and row within the block
  int channel;                 // first of the column
  bool active;

  __device__ Part(const Activation& shape, const Plan& plan, unsigned block) {
    const unsigned runs = plan.runs, chunks = plan.chunks, rest = block / runs;
    run = static_cast<int>(block - rest * runs);
    sample = rest / chunks;
    number = static_cast<int>(rest % chunks);
    x = threadIdx.x % plan.columns;
    y = threadIdx.x / plan.columns;
    channel = (run * plan.columns + x) * V;
    active = y < plan.rows && channel < shape.channels;
    begin = int64_t{number} * plan.chunk;
    end = min(begin + plan.chunk, shape.positions);
  }

  // Calls load(offset, slot) for some positions, then use(offset, slot) for them, so that several loads are under way.
  template <int kAtOnce, class Load, class Use>
  __device__ void for_each_position(const Activation& shape, const Plan& plan, const Load& load, const Use& use) const {
    if (!active) return;
    const int64_t step = int64_t{plan.rows} * shape.channels;
    int64_t position = begin + y;
    int64_t offset = (sample * shape.positions + position) * shape.channels + channel;
    for (; position + (kAtOnce - 1) * plan.rows < end; position += kAtOnce * plan.rows, offset += kAtOnce * step) {
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) load(offset + i * step, i);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) use(offset + i * step, i);
    }
    for (; position < end; position += plan.rows, offset += step) {
      load(offset, 0);
      use(offset, 0);
    }
  }
};

// Two sums per channel of a block; afterwards those of channel x * V + v of the block are at(v, x).
template <int V>
class BlockSums {
 public:
  __device__ BlockSums(float2* shared, const Plan& plan) : shared_(shared), columns_(plan.columns), rows_(plan.rows), cells_(plan.columns * plan.rows) {}

  __device__ float2& at(int v, int cell) { return shared_[v * cells_ + cell]; }
  __device__ float2 of_channel(int channel) { return at(channel % V, channel / V); }

  __device__ void add(const float (&first)[V], const float (&second)[V]) {
    const int cell = threadIdx.x, row = cell / columns_;
    if (cell < cells_) {
#pragma unroll
      for (int v = 0; v < V; ++v) at(v, cell) = {first[v], second[v]};
    }
    int half = 1;
    while (2 * half < rows_) half *= 2;
    for (; rows_ > 1 && half > 0; half /= 2) {
      __syncthreads();
      if (row < half && row + half < rows_) {
#pragma unroll
        for (int v = 0; v < V; ++v) {
          float2& sum = at(v, cell);
          const float2 other = at(v, cell + half * columns_);
          sum.x += other.x;
          sum.y += other.y;
        }
      }
    }
    __syncthreads();
  }

 private:
  float2* shared_;
  int columns_, rows_, cells_;
};

__device__ inline float warp_sum(float value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

}  // namespace sparring::cuda
