// Sixteen numbers at a time, with GCC's vector extension. What is marked SPARRING_AVX512 runs on AVX-512 only, which the caller has made
// sure of. Internal to native/ops/cpu.
#pragma once

#include <cstdint>
#include <cstring>

#include "ops/cpu/simd.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#define SPARRING_HAS_AVX512
#define SPARRING_AVX512 __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
#else
#define SPARRING_AVX512
#endif

namespace sparring::cpu {

constexpr int64_t kLanes = 16;

using Vec = float __attribute__((vector_size(64)));
using Words = uint32_t __attribute__((vector_size(64)));
using Halves = uint16_t __attribute__((vector_size(32)));

// One instruction each, where GCC takes several for __builtin_convertvector.
#if defined(SPARRING_HAS_AVX512)
SPARRING_INLINE SPARRING_AVX512 Words widened(Halves halves) { return (Words)_mm512_maskz_cvtepu16_epi32(0xffff, (__m256i)halves); }
SPARRING_INLINE SPARRING_AVX512 Halves narrowed(Words words) { return (Halves)_mm512_maskz_cvtepi32_epi16(0xffff, (__m512i)words); }
#else
SPARRING_INLINE Words widened(Halves halves) { return __builtin_convertvector(halves, Words); }
SPARRING_INLINE Halves narrowed(Words words) { return __builtin_convertvector(words, Halves); }
#endif

SPARRING_INLINE SPARRING_AVX512 void load_lanes(const float* from, Vec& to) { std::memcpy(&to, from, sizeof(to)); }
SPARRING_INLINE SPARRING_AVX512 void load_lanes(const Bf16* from, Vec& to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof(halves));
  to = (Vec)(widened(halves) << 16);
}
SPARRING_INLINE SPARRING_AVX512 void store_lanes(float* to, const Vec& from) { std::memcpy(to, &from, sizeof(from)); }
SPARRING_INLINE SPARRING_AVX512 void store_lanes(Bf16* to, const Vec& from) {
  const auto bits = (Words)from;
  const Words nearest_even = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const Words nan = nearest_even * 0 + 0x7fc0;  // rounding could carry a NaN over into a number
  const Halves halves = narrowed(from == from ? nearest_even : nan);
  std::memcpy(to, &halves, sizeof(halves));
}

}  // namespace sparring::cpu
