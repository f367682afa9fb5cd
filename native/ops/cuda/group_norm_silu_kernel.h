// The CUDA kernels behind group_norm_silu: channels-last activations, fp32 or bf16. Internal to native/ops/cuda, and free
// of LibTorch's headers, which take nvcc longer than the kernels do.
//
// An activation is [batch, positions, channels]; a group is a run of channels. A sum over a group is made of sums over
// its channels, so that a thread keeps its channels (16 bytes' worth, a column) and walks over positions. Every sum is
// taken in an order that depends on the shape alone.
#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

namespace sparring::cuda {

struct Activation {
  int64_t batch, positions;
  int channels, groups;
  bool bf16;     // otherwise fp32
  bool aligned;  // each pointer to its elements to 16 bytes
};

// Of the channels, [channels], fp32 or bf16.
struct Parameter {
  const void* values;
  bool bf16;
};

// How the work is split. A block holds `columns` columns of some positions.
struct Plan {
  int vector;        // elements per column
  int columns;       // per block
  int rows;          // positions that a block works on at a time
  int runs;          // blocks side by side that cover all channels
  bool whole;        // a block holds whole groups and all positions: one kernel each way, otherwise three
  int chunks;        // blocks that share the positions of a sample; 1 if `whole`
  int64_t chunk;     // positions per block

  explicit Plan(const Activation& shape);
  int threads() const;
  // Numbers of fp32 that the kernels need to write to between them.
  int64_t workspace(const Activation& shape) const;
};

// y = act(group_norm(x)); mean, rstd: [batch, groups].
void group_norm_silu_forward(const Activation& shape, const Plan& plan, const void* x, Parameter weight, Parameter bias, float eps,
                             bool silu, void* y, float* mean, float* rstd, float* workspace, cudaStream_t stream);

// dx from dy. channel_sums: of each sample what it adds to the gradients of weight and of bias,
// [batch, 2, channels]; null where they are not asked for.
void group_norm_silu_backward(const Activation& shape, const Plan& plan, const void* dy, const void* x, const float* mean,
                              const float* rstd, Parameter weight, Parameter bias, bool silu, void* dx, float* channel_sums,
                              float* workspace, cudaStream_t stream);

}  // namespace sparring::cuda
