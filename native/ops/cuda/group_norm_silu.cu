// Forward:   t = x * scale + shift,  scale = rstd * weight,  shift = bias - mean * scale,  y = act(t)
// Backward:  dt = dy * act'(t),  dx = dt * scale + x * slope + offset,  where slope and offset of a group come from the sums
//            of weight * dt and weight * dt * (x - mean) over it
//
// One kernel each way where a block can hold whole groups and all their positions, which it then reads twice, the second
// time from a cache. Otherwise three: sums of parts of the positions, what the groups make of them, and the result, whose
// blocks go through memory backwards because the end is what the cache still holds.
#include "ops/cuda/channels.cuh"

namespace sparring::cuda {
namespace {

constexpr int kMaxThreads = 512;
constexpr int kGroupThreads = 256;

struct Forward {
  const void* x;
  Parameter weight, bias;
  float eps;
  void* y;
  float *mean, *rstd;  // [batch, groups]
};

struct Backward {
  const void *dy, *x;
  const float *mean, *rstd;
  Parameter weight, bias;
  void* dx;
  float* channel_sums;  // [batch, 2, channels] or null
};

// ---------------------------------------------------------------- sums over the positions of a part

// Of x - shift and its square, where shift is the sample's first value of the channel: a mean far from zero does not
// cancel the variance.
template <class T, int V, bool kSilu>
__device__ void sum_part(const Forward& args, const Activation& shape, const Plan& plan, const Part<V>& part, BlockSums<V>& sums) {
  constexpr int kAtOnce = 4;
  const T* x = static_cast<const T*>(args.x);
  float shift[V], first[V] = {}, second[V] = {};
  if (part.active) {
    const auto column = load<T, V>(x + part.sample * shape.positions * shape.channels + part.channel);
#pragma unroll
    for (int v = 0; v < V; ++v) shift[v] = to_float(column.values[v]);
  }
  Column<T, V> loaded[kAtOnce];
  part.template for_each_position<kAtOnce>(
      shape, plan, [&](int64_t offset, int slot) { loaded[slot] = load<T, V>(x + offset); },
      [&](int64_t, int slot) {
#pragma unroll
        for (int v = 0; v < V; ++v) {
          const float delta = to_float(loaded[slot].values[v]) - shift[v];
          first[v] += delta;
          second[v] += delta * delta;
        }
      });
  sums.add(first, second);
}

// Of dt and of dt * (x - mean).
template <class T, int V, bool kSilu>
__device__ void sum_part(const Backward& args, const Activation& shape, const Plan& plan, const Part<V>& part, BlockSums<V>& sums) {
  constexpr int kAtOnce = 2;
  const T *dy = static_cast<const T*>(args.dy), *x = static_cast<const T*>(args.x);
  float mean[V], scale[V], bias[V], first[V] = {}, second[V] = {};
  if (part.active) {
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const int channel = part.channel + v;
      const int64_t group = part.sample * shape.groups + channel / (shape.channels / shape.groups);
      mean[v] = args.mean[group];
      scale[v] = args.rstd[group] * load(args.weight, channel);
      bias[v] = load(args.bias, channel);
    }
  }
  Column<T, V> loaded_dy[kAtOnce], loaded_x[kAtOnce];
  part.template for_each_position<kAtOnce>(
      shape, plan,
      [&](int64_t offset, int slot) {
        loaded_dy[slot] = load<T, V>(dy + offset);
        loaded_x[slot] = load<T, V>(x + offset);
      },
      [&](int64_t, int slot) {
#pragma unroll
        for (int v = 0; v < V; ++v) {
          const float delta = to_float(loaded_x[slot].values[v]) - mean[v];
          float dt = to_float(loaded_dy[slot].values[v]);
          if constexpr (kSilu) {
            const float t = delta * scale[v] + bias[v], s = sigmoid<T>(t);
            dt *= s * (1.0f + t * (1.0f - s));
          }
          first[v] += dt;
          second[v] += dt * delta;
        }
      });
  sums.add(first, second);
}

// ---------------------------------------------------------------- what a group makes of the sums of its channels
// One warp per group; sum(c) gives those of channel c of the group.

// Mean and rstd.
template <class T, class Sum>
__device__ float2 of_group(const Forward& args, const Activation& shape, int64_t sample, int group, const Sum& sum) {
  const int width = shape.channels / shape.groups, lane = threadIdx.x % 32;
  const float positions = static_cast<float>(shape.positions);
  const T* first = static_cast<const T*>(args.x) + sample * shape.positions * shape.channels + int64_t{group} * width;
  const auto mean_of = [&](int c) { return to_float(first[c]) + sum(c).x / positions; };
  float mean = 0, deviations = 0;
  for (int c = lane; c < width; c += 32) mean += mean_of(c);
  mean = warp_sum(mean) / static_cast<float>(width);
  for (int c = lane; c < width; c += 32) {
    const float2 s = sum(c);
    const float delta = mean_of(c) - mean;
    deviations += fmaxf(s.y - s.x * (s.x / positions), 0.0f) + positions * delta * delta;
  }
  const float variance = warp_sum(deviations) / (positions * static_cast<float>(width));
  const float rstd = 1.0f / sqrtf(variance + args.eps);
  if (lane == 0) {
    args.mean[sample * shape.groups + group] = mean;
    args.rstd[sample * shape.groups + group] = rstd;
  }
  return {mean, rstd};
}

// Slope and offset.
template <class T, class Sum>
__device__ float2 of_group(const Backward& args, const Activation& shape, int64_t sample, int group, const Sum& sum) {
  const int width = shape.channels / shape.groups, lane = threadIdx.x % 32;
  const float elements = static_cast<float>(shape.positions) * static_cast<float>(width);
  const float mean = args.mean[sample * shape.groups + group], rstd = args.rstd[sample * shape.groups + group];
  float of_mean = 0, of_scale = 0;
  for (int c = lane; c < width; c += 32) {
    const int channel = group * width + c;
    const float2 s = sum(c);
    const float weight = load(args.weight, channel);
    of_mean += weight * s.x;
    of_scale += weight * s.y;
    if (args.channel_sums != nullptr) {
      float* const channel_sums = args.channel_sums + 2 * sample * shape.channels + channel;
      channel_sums[0] = s.y * rstd;
      channel_sums[shape.channels] = s.x;
    }
  }
  const float slope = -rstd * rstd * rstd * (warp_sum(of_scale) / elements);
  return {slope, -rstd * (warp_sum(of_mean) / elements) - mean * slope};
}

// ---------------------------------------------------------------- the result

template <class T, int V, bool kSilu, class OfGroup>
__device__ void write_part(const Forward& args, const Activation& shape, const Plan& plan, const Part<V>& part, const OfGroup& of_group) {
  constexpr int kAtOnce = 4;
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  float scale[V], shift[V];
  if (part.active) {
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const int channel = part.channel + v;
      const float2 moments = of_group(channel / (shape.channels / shape.groups));
      scale[v] = moments.y * load(args.weight, channel);
      shift[v] = load(args.bias, channel) - moments.x * scale[v];
    }
  }
  Column<T, V> loaded[kAtOnce];
  part.template for_each_position<kAtOnce>(
      shape, plan, [&](int64_t offset, int slot) { loaded[slot] = load<T, V>(x + offset); },
      [&](int64_t offset, int slot) {
        Column<T, V> result;
#pragma unroll
        for (int v = 0; v < V; ++v) {
          float t = to_float(loaded[slot].values[v]) * scale[v] + shift[v];
          if constexpr (kSilu) t *= sigmoid<T>(t);
          result.values[v] = from_float<T>(t);
        }
        store<T, V>(y + offset, result);
      });
}

template <class T, int V, bool kSilu, class OfGroup>
__device__ void write_part(const Backward& args, const Activation& shape, const Plan& plan, const Part<V>& part, const OfGroup& of_group) {
  constexpr int kAtOnce = 2;
  const T *dy = static_cast<const T*>(args.dy), *x = static_cast<const T*>(args.x);
  T* dx = static_cast<T*>(args.dx);
  float scale[V], shift[V], slope[V], addend[V];
  if (part.active) {
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const int channel = part.channel + v, group = channel / (shape.channels / shape.groups);
      const float2 coefficients = of_group(group);
      scale[v] = args.rstd[part.sample * shape.groups + group] * load(args.weight, channel);
      shift[v] = load(args.bias, channel) - args.mean[part.sample * shape.groups + group] * scale[v];
      slope[v] = coefficients.x;
      addend[v] = coefficients.y;
    }
  }
  Column<T, V> loaded_dy[kAtOnce], loaded_x[kAtOnce];
  part.template for_each_position<kAtOnce>(
      shape, plan,
      [&](int64_t offset, int slot) {
        loaded_dy[slot] = load<T, V>(dy + offset);
        loaded_x[slot] = load<T, V>(x + offset);
      },
      [&](int64_t offset, int slot) {
        Column<T, V> result;
#pragma unroll
        for (int v = 0; v < V; ++v) {
          const float value = to_float(loaded_x[slot].values[v]);
          float dt = to_float(loaded_dy[slot].values[v]);
          if constexpr (kSilu) {
            const float t = value * scale[v] + shift[v], s = sigmoid<T>(t);
            dt *= s * (1.0f + t * (1.0f - s));
          }
          result.values[v] = from_float<T>(dt * scale[v] + (value * slope[v] + addend[v]));
        }
        store<T, V>(dx + offset, result);
      });
}

// ---------------------------------------------------------------- one kernel: a block has whole groups

// Shared: the sums, then two numbers per group of the block.
template <class T, int V, bool kSilu, class Args>
__global__ void __launch_bounds__(kMaxThreads) whole_groups(Args args, Activation shape, Plan plan) {
  extern __shared__ float2 shared[];
  const Part<V> part(shape, plan, blockIdx.x);
  BlockSums<V> sums(shared, plan);
  sum_part<T, V, kSilu>(args, shape, plan, part, sums);

  float2* const of_groups = shared + V * plan.columns * plan.rows;
  const int width = shape.channels / shape.groups, groups = plan.columns * V / width, first_group = part.run * groups;
  for (int group = threadIdx.x / 32; group < groups; group += blockDim.x / 32) {
    const float2 result = of_group<T>(args, shape, part.sample, first_group + group, [&](int c) { return sums.of_channel(group * width + c); });
    if (threadIdx.x % 32 == 0) of_groups[group] = result;
  }
  __syncthreads();
  write_part<T, V, kSilu>(args, shape, plan, part, [&](int group) { return of_groups[group - first_group]; });
}

// ---------------------------------------------------------------- three kernels: a block has a chunk of the positions

// sums: [batch, chunks, channels]
template <class T, int V, bool kSilu, class Args>
__global__ void __launch_bounds__(kMaxThreads) sum_chunks(Args args, Activation shape, Plan plan, float2* sums_of_chunks) {
  extern __shared__ float2 shared[];
  const Part<V> part(shape, plan, blockIdx.x);
  BlockSums<V> sums(shared, plan);
  sum_part<T, V, kSilu>(args, shape, plan, part, sums);
  if (!part.active || part.y != 0) return;
  float2* const out = sums_of_chunks + (part.sample * plan.chunks + part.number) * shape.channels + part.channel;
#pragma unroll
  for (int v = 0; v < V; ++v) out[v] = sums.at(v, part.x);
}

// A block for each group of each sample; the sums over all chunks replace those of the first.
template <class T, class Args>
__global__ void __launch_bounds__(kGroupThreads) finish_groups(Args args, Activation shape, Plan plan, float2* sums_of_chunks, float2* of_groups) {
  __shared__ double2 shared[kGroupThreads];
  const int width = shape.channels / shape.groups, group = blockIdx.x % shape.groups;
  const int64_t sample = blockIdx.x / shape.groups;
  float2* const sums = sums_of_chunks + sample * plan.chunks * shape.channels + group * width;
  const int columns = min(width, kGroupThreads), rows = kGroupThreads / columns;
  const int x = threadIdx.x % columns, y = threadIdx.x / columns;
  for (int c = x; c - x < width; c += columns) {  // the same number of rounds for each thread
    double2 sum = {0, 0};
    for (int64_t chunk = y; c < width && y < rows && chunk < plan.chunks; chunk += rows) {
      const float2 s = sums[chunk * shape.channels + c];
      sum.x += s.x;
      sum.y += s.y;
    }
    shared[threadIdx.x] = sum;
    __syncthreads();
    if (y == 0 && c < width) {
      for (int row = 1; row < rows; ++row) {
        sum.x += shared[row * columns + x].x;
        sum.y += shared[row * columns + x].y;
      }
      sums[c] = {static_cast<float>(sum.x), static_cast<float>(sum.y)};
    }
    __syncthreads();
  }
  if (threadIdx.x >= 32) return;
  const float2 result = of_group<T>(args, shape, sample, group, [&](int c) { return sums[c]; });
  if (threadIdx.x == 0) of_groups[sample * shape.groups + group] = result;
}

template <class T, int V, bool kSilu, class Args>
__global__ void __launch_bounds__(kMaxThreads) write_chunks(Args args, Activation shape, Plan plan, const float2* of_groups) {
  const Part<V> part(shape, plan, gridDim.x - 1 - blockIdx.x);
  write_part<T, V, kSilu>(args, shape, plan, part, [&](int group) { return of_groups[part.sample * shape.groups + group]; });
}

// ---------------------------------------------------------------- launches

template <class T, int V, bool kSilu, class Args>
void launch(const Args& args, const Activation& shape, const Plan& plan, float* workspace, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(shape.batch * plan.runs * plan.chunks);
  const auto threads = static_cast<unsigned>(plan.threads());
  const size_t sums_bytes = sizeof(float2) * V * plan.columns * plan.rows;
  if (plan.whole) {
    const size_t groups_bytes = sizeof(float2) * plan.columns * V / (shape.channels / shape.groups);
    whole_groups<T, V, kSilu><<<blocks, threads, sums_bytes + groups_bytes, stream>>>(args, shape, plan);
    return;
  }
  const auto sums = reinterpret_cast<float2*>(workspace), of_groups = sums + shape.batch * plan.chunks * shape.channels;
  sum_chunks<T, V, kSilu><<<blocks, threads, sums_bytes, stream>>>(args, shape, plan, sums);
  finish_groups<T><<<static_cast<unsigned>(shape.batch * shape.groups), kGroupThreads, 0, stream>>>(args, shape, plan, sums, of_groups);
  write_chunks<T, V, kSilu><<<blocks, threads, 0, stream>>>(args, shape, plan, of_groups);
}

template <class T, int V, class Args>
void launch(const Args& args, const Activation& shape, const Plan& plan, bool silu, float* workspace, cudaStream_t stream) {
  if (silu) launch<T, V, true>(args, shape, plan, workspace, stream);
  else launch<T, V, false>(args, shape, plan, workspace, stream);
}

template <class Args>
void launch(const Args& args, const Activation& shape, const Plan& plan, bool silu, float* workspace, cudaStream_t stream) {
  if (shape.bf16 && plan.vector == 8) launch<Bf16, 8>(args, shape, plan, silu, workspace, stream);
  else if (shape.bf16) launch<Bf16, 1>(args, shape, plan, silu, workspace, stream);
  else if (plan.vector == 4) launch<float, 4>(args, shape, plan, silu, workspace, stream);
  else launch<float, 1>(args, shape, plan, silu, workspace, stream);
}

}  // namespace

void group_norm_silu_forward(const Activation& shape, const Plan& plan, const void* x, Parameter weight, Parameter bias, float eps,
                             bool silu, void* y, float* mean, float* rstd, float* workspace, cudaStream_t stream) {
  launch(Forward{x, weight, bias, eps, y, mean, rstd}, shape, plan, silu, workspace, stream);
}

void group_norm_silu_backward(const Activation& shape, const Plan& plan, const void* dy, const void* x, const float* mean,
                              const float* rstd, Parameter weight, Parameter bias, bool silu, void* dx, float* channel_sums,
                              float* workspace, cudaStream_t stream) {
  launch(Backward{dy, x, mean, rstd, weight, bias, dx, channel_sums}, shape, plan, silu, workspace, stream);
}

}  // namespace sparring::cuda
