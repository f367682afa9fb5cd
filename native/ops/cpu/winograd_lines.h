// One dimension of the transforms of Winograd's convolutions, of sixteen channels at a time. Internal to winograd_tiles.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "ops/cpu/lanes.h"

namespace sparring::cpu {

// Simple fractions of little error: 1e-6 for four outputs, 3e-5 for eight, where 1/2 and 4 as the last two would have 2e-4. 1 is first: see side_of().
constexpr double kPoints[] = {1, 2, 0.4, 0.8};

// F(outputs, 3) of an even number of outputs. Its interpolation points are 0, p and -p of the first so many p, and infinity.
template <int64_t outputs>
struct Line {
  static constexpr int64_t pairs = outputs / 2, infinity = outputs + 1;
  static_assert(outputs % 2 == 0 && pairs <= static_cast<int64_t>(std::size(kPoints)));

  struct Coefficients {
    float even[pairs][pairs], odd[pairs][pairs], zero[pairs + 1], infinity[pairs + 1];
    float power[pairs][outputs + 1];  // p^k
  };
  // N_p(x) / N_p(p) for each point p, where N_p is the product of x - q over the other finite points q: even[i][k] of x^(2k + 2) and, of opposite sign for
  // p and -p, odd[i][k] of x^(2k + 1); zero[k] of x^2k. At infinity the product over all points: infinity[k] of x^(2k + 1).
  static constexpr Coefficients coefficients() {
    Coefficients of{};
    for (int64_t i = 0; i <= pairs; ++i) {  // the last: for all pairs
      double product[pairs + 1] = {1};      // of y - q^2, by powers of y = x^2
      for (int64_t j = 0, degree = 0; j < pairs; ++j) {
        if (i == j) continue;
        ++degree;
        for (int64_t k = degree; k >= 0; --k) product[k] = (k > 0 ? product[k - 1] : 0) - kPoints[j] * kPoints[j] * (k < degree ? product[k] : 0);
      }
      if (i == pairs) {
        for (int64_t k = 0; k <= pairs; ++k) {
          of.zero[k] = static_cast<float>(product[k] / product[0]);
          of.infinity[k] = static_cast<float>(product[k]);
        }
        continue;
      }
      const double p = kPoints[i];
      double value = 0;
      for (int64_t k = pairs - 1; k >= 0; --k) value = value * p * p + product[k];
      for (int64_t k = 0; k < pairs; ++k) {
        of.even[i][k] = static_cast<float>(product[k] / (2 * p * p * value));
        of.odd[i][k] = static_cast<float>(product[k] / (2 * p * value));
      }
      double power = 1;
      for (int64_t k = 0; k <= outputs; ++k, power *= p) of.power[i][k] = static_cast<float>(power);
    }
    return of;
  }

  // to = B^T d
  SPARRING_INLINE SPARRING_AVX512 static void transform(const Vec* d, Vec* to, Vec& at_infinity) {
    constexpr auto of = coefficients();
    Vec zero = d[0], all = of.infinity[0] * d[1];
#pragma GCC unroll 4
    for (int64_t k = 1; k <= pairs; ++k) {
      zero += of.zero[k] * d[2 * k];
      all += of.infinity[k] * d[2 * k + 1];
    }
    to[0] = zero;
#pragma GCC unroll 4
    for (int64_t i = 0; i < pairs; ++i) {
      Vec even = of.even[i][0] * d[2], odd = of.odd[i][0] * d[1];
#pragma GCC unroll 4
      for (int64_t k = 1; k < pairs; ++k) {
        even += of.even[i][k] * d[2 * k + 2];
        odd += of.odd[i][k] * d[2 * k + 1];
      }
      to[2 * i + 1] = even + odd;
      to[2 * i + 2] = even - odd;
    }
    at_infinity = all;
  }

  // to = A^T m: the sums of p^k m[p]
  SPARRING_INLINE SPARRING_AVX512 static void restore(const Vec* m, const Vec& at_infinity, Vec* to) {
    constexpr auto of = coefficients();
    Vec sum[pairs], difference[pairs];
#pragma GCC unroll 4
    for (int64_t i = 0; i < pairs; ++i) {
      sum[i] = m[2 * i + 1] + m[2 * i + 2];
      difference[i] = m[2 * i + 1] - m[2 * i + 2];
    }
#pragma GCC unroll 8
    for (int64_t k = 0; k < outputs; ++k) {
      Vec total = k == 0 ? m[0] : k == outputs - 1 ? at_infinity : Vec{};
#pragma GCC unroll 4
      for (int64_t i = 0; i < pairs; ++i) total += of.power[i][k] * (k % 2 == 0 ? sum[i] : difference[i]);
      to[k] = total;
    }
  }

  // to = A y
  SPARRING_INLINE SPARRING_AVX512 static void spread(const Vec* y, Vec* to, Vec& at_infinity) {
    constexpr auto of = coefficients();
    to[0] = y[0];
#pragma GCC unroll 4
    for (int64_t i = 0; i < pairs; ++i) {
      Vec even = y[0], odd = of.power[i][1] * y[1];
#pragma GCC unroll 4
      for (int64_t k = 1; k < pairs; ++k) {
        even += of.power[i][2 * k] * y[2 * k];
        odd += of.power[i][2 * k + 1] * y[2 * k + 1];
      }
      to[2 * i + 1] = even + odd;
      to[2 * i + 2] = even - odd;
    }
    at_infinity = y[outputs - 1];
  }

  // to = G g: the polynomial of the filter at each of the points
  SPARRING_INLINE SPARRING_AVX512 static void transform_taps(const Vec (&g)[3], Vec* to) {
    constexpr auto of = coefficients();
    to[0] = g[0];
#pragma GCC unroll 4
    for (int64_t i = 0; i < pairs; ++i) {
      const Vec even = g[0] + of.power[i][2] * g[2], odd = of.power[i][1] * g[1];
      to[2 * i + 1] = even + odd;
      to[2 * i + 2] = even - odd;
    }
    to[infinity] = g[2];
  }

  // to = G^T m
  SPARRING_INLINE SPARRING_AVX512 static void restore_taps(const Vec* m, Vec (&to)[3]) {
    constexpr auto of = coefficients();
    to[0] = m[0];
    to[1] = Vec{};
    to[2] = m[infinity];
#pragma GCC unroll 4
    for (int64_t i = 0; i < pairs; ++i) {
      const Vec sum = m[2 * i + 1] + m[2 * i + 2];
      to[0] += sum;
      to[1] += of.power[i][1] * (m[2 * i + 1] - m[2 * i + 2]);
      to[2] += of.power[i][2] * sum;
    }
  }
};

// Calls work with the Line of a tile that may have fewer outputs at the edge of an image: that of so many, or of one more.
template <int64_t most, class Work>
SPARRING_INLINE SPARRING_AVX512 void with_line(int64_t outputs, const Work& work) {
  if constexpr (most > 2) {
    if (outputs <= most - 2) return with_line<most - 2>(outputs, work);
  }
  work(Line<most>());
}

// The three of a tile. What is not needed of `to` is zero.
template <int64_t tile>
SPARRING_INLINE SPARRING_AVX512 void transform_line(int64_t outputs, const Vec* d, Vec* to) {
  with_line<tile>(outputs, [&](auto line) SPARRING_AVX512 __attribute__((always_inline)) {
    line.transform(d, to, to[tile + 1]);
    std::fill(to + line.infinity, to + tile + 1, Vec{});
  });
}
template <int64_t tile>
SPARRING_INLINE SPARRING_AVX512 void restore_line(int64_t outputs, const Vec* m, Vec* to) {
  with_line<tile>(outputs, [&](auto line) SPARRING_AVX512 __attribute__((always_inline)) {
    line.restore(m, m[tile + 1], to);
    std::fill(to + line.infinity - 1, to + tile, Vec{});
  });
}
template <int64_t tile>
SPARRING_INLINE SPARRING_AVX512 void spread_line(int64_t outputs, const Vec* y, Vec* to) {
  with_line<tile>(outputs, [&](auto line) SPARRING_AVX512 __attribute__((always_inline)) {
    line.spread(y, to, to[tile + 1]);
    std::fill(to + line.infinity, to + tile + 1, Vec{});
  });
}

}  // namespace sparring::cpu
