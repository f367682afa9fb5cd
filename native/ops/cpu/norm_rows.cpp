// "omp simd" states that columns are independent of each other, and makes the compiler vectorise at -O2 too.
#include "ops/cpu/norm_rows.h"

namespace sparring::cpu {
namespace {

template <class T>
SPARRING_INLINE void sum(const T* __restrict x, int64_t rows, int64_t stride, int64_t width,
                         const float* __restrict shift, float* __restrict sum, float* __restrict squares) {
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) sum[c] = squares[c] = 0;
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4, x += 4 * stride) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float a = load(x[c]) - shift[c], b = load(x[c + stride]) - shift[c];
      const float d = load(x[c + 2 * stride]) - shift[c], e = load(x[c + 3 * stride]) - shift[c];
      sum[c] += (a + b) + (d + e);
      squares[c] += (a * a + b * b) + (d * d + e * e);
    }
  }
  for (; row < rows; ++row, x += stride) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float a = load(x[c]) - shift[c];
      sum[c] += a;
      squares[c] += a * a;
    }
  }
}

template <Activation act>
SPARRING_INLINE float activate(float t) {
  if constexpr (act == Activation::silu) return t * sigmoid(t);
  else if constexpr (act == Activation::relu) return t < 0 ? 0.0f : t;  // a NaN stays one
  else return t;
}

template <Activation act, class T>
SPARRING_INLINE void normalise(const T* __restrict x, int64_t rows, int64_t stride, int64_t width,
                               const float* __restrict mean, const float* __restrict scale,
                               const float* __restrict bias, T* __restrict y) {
  for (int64_t row = 0; row < rows; ++row, x += stride, y += stride) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float t = (load(x[c]) - mean[c]) * scale[c] + bias[c];
      store(y + c, activate<act>(t));
    }
  }
}

template <Activation act, class T>
SPARRING_INLINE void differentiate(const T* __restrict dy, const T* __restrict x, int64_t rows, int64_t stride,
                                   int64_t width, const float* __restrict mean, const float* __restrict scale,
                                   const float* __restrict bias, T* __restrict dt, float* __restrict sum,
                                   float* __restrict products) {
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) sum[c] = products[c] = 0;
  for (int64_t row = 0; row < rows; ++row, x += stride, dy += stride) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float centred = load(x[c]) - mean[c];
      float d = load(dy[c]);
      const float t = centred * scale[c] + bias[c];
      if constexpr (act == Activation::silu) {
        const float s = sigmoid(t);
        d *= s * (1.0f + t * (1.0f - s));
        store(dt + c, d);
      } else if constexpr (act == Activation::relu) {
        d = t <= 0 ? 0.0f : d;
      }
      sum[c] += d;
      products[c] += d * centred;
    }
    if constexpr (act == Activation::silu) dt += stride;
  }
}

template <bool relu, class T>
SPARRING_INLINE void combine(const T* dt, const T* __restrict x, int64_t rows, int64_t stride, int64_t width,
                             const float* __restrict mean, const float* __restrict scale, const float* __restrict bias,
                             const float* __restrict slope, const float* __restrict offset, T* dx) {
  for (int64_t row = 0; row < rows; ++row, x += stride, dt += stride, dx += stride) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float centred = load(x[c]) - mean[c];
      float d = load(dt[c]);
      if constexpr (relu) d = centred * scale[c] + bias[c] <= 0 ? 0.0f : d;
      store(dx + c, d * scale[c] + (centred * slope[c] + offset[c]));
    }
  }
}

}  // namespace

// Templates cannot be compiled per instruction set; these functions can.
#define SPARRING_DEFINE(T)                                                                                             \
  SPARRING_SIMD void sum_rows(const T* x, int64_t rows, int64_t stride, int64_t width, const float* shift,             \
                              float* sums, float* squares) {                                                           \
    sum(x, rows, stride, width, shift, sums, squares);                                                                 \
  }                                                                                                                    \
  SPARRING_SIMD void normalise_rows(const T* x, int64_t rows, int64_t stride, int64_t width, const float* mean,        \
                                    const float* scale, const float* bias, Activation act, T* y) {                     \
    if (act == Activation::silu) normalise<Activation::silu>(x, rows, stride, width, mean, scale, bias, y);            \
    else if (act == Activation::relu) normalise<Activation::relu>(x, rows, stride, width, mean, scale, bias, y);       \
    else normalise<Activation::none>(x, rows, stride, width, mean, scale, bias, y);                                    \
  }                                                                                                                    \
  SPARRING_SIMD void differentiate_rows(const T* dy, const T* x, int64_t rows, int64_t stride, int64_t width,          \
                                        const float* mean, const float* scale, const float* bias, Activation act,      \
                                        T* dt, float* sums, float* products) {                                         \
    if (act == Activation::silu) differentiate<Activation::silu>(dy, x, rows, stride, width, mean, scale, bias, dt, sums, products);\
    else if (act == Activation::relu) differentiate<Activation::relu>(dy, x, rows, stride, width, mean, scale, bias, dt, sums, products);\
    else differentiate<Activation::none>(dy, x, rows, stride, width, mean, scale, bias, dt, sums, products);           \
  }                                                                                                                    \
  SPARRING_SIMD void combine_rows(const T* dt, const T* x, int64_t rows, int64_t stride, int64_t width,                \
                                  const float* mean, const float* scale, const float* bias, bool relu,                 \
                                  const float* slope, const float* offset, T* dx) {                                    \
    if (relu) combine<true>(dt, x, rows, stride, width, mean, scale, bias, slope, offset, dx);                         \
    else combine<false>(dt, x, rows, stride, width, mean, scale, bias, slope, offset, dx);                             \
  }
SPARRING_DEFINE(float)
SPARRING_DEFINE(Bf16)

}  // namespace sparring::cpu
