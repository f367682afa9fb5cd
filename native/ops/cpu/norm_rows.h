// The vectorised loops of normalisation layers, for fp32 and bf16. Internal to native/ops/cpu.
// Arrays of activations are [rows, width] with `stride` elements from row to row; all others are [width] in fp32.
#pragma once

#include <cstdint>

#include "ops/cpu/simd.h"

namespace sparring::cpu {

enum class Activation { none, silu, relu };

#define SPARRING_DECLARE(T)                                                                                            \
  /* sum = sum of x - shift, squares = sum of (x - shift)^2, over the rows. */                                         \
  void sum_rows(const T* x, int64_t rows, int64_t stride, int64_t width, const float* shift, float* sum,               \
                float* squares);                                                                                       \
  /* y = act(t) with t = (x - mean) * scale + bias. */                                                                 \
  void normalise_rows(const T* x, int64_t rows, int64_t stride, int64_t width, const float* mean, const float* scale,  \
                      const float* bias, Activation act, T* y);                                                        \
  /* dt = dy * act'(t), written for SiLU only; sum = sum of dt, products = sum of dt * (x - mean), over the rows. */   \
  void differentiate_rows(const T* dy, const T* x, int64_t rows, int64_t stride, int64_t width, const float* mean,     \
                          const float* scale, const float* bias, Activation act, T* dt, float* sum, float* products);  \
  /* dx = dt * scale + (x - mean) * slope + offset; dt may be dx. With `relu` dt is dy, which counts as 0 at t <= 0. */\
  void combine_rows(const T* dt, const T* x, int64_t rows, int64_t stride, int64_t width, const float* mean,           \
                    const float* scale, const float* bias, bool relu, const float* slope, const float* offset, T* dx);
SPARRING_DECLARE(float)
SPARRING_DECLARE(Bf16)
#undef SPARRING_DECLARE

}  // namespace sparring::cpu
