// Sixteen numbers at a time, with GCC's vector extension. What is marked SPARRING_AVX512 runs on AVX-512 only, which the caller has made
// sure of. Internal to native/ops/cpu.
#pragma once

#include <cstdint>
#include <cstring>

#include "ops/cpu/simd.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
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
using SignedWords = int32_t __attribute__((vector_size(64)));
using SignedHalves = int16_t __attribute__((vector_size(32)));

// One instruction each, where GCC takes several for __builtin_convertvector. Not the intrinsics that are these: they are functions, which cannot be inlined
// here where a build is for another processor than SPARRING_AVX512 says.
#if defined(SPARRING_HAS_AVX512)
SPARRING_INLINE SPARRING_AVX512 void widen(const Halves& from, Words& to) { to = (Words)__builtin_ia32_pmovzxwd512_mask((SignedHalves)from, SignedWords{}, 0xffff); }
SPARRING_INLINE SPARRING_AVX512 void narrow(const Words& from, Halves& to) { to = (Halves)__builtin_ia32_pmovdw512_mask((SignedWords)from, SignedHalves{}, 0xffff); }
#else
SPARRING_INLINE void widen(const Halves& from, Words& to) { to = __builtin_convertvector(from, Words); }
SPARRING_INLINE void narrow(const Words& from, Halves& to) { to = __builtin_convertvector(from, Halves); }
#endif

SPARRING_INLINE SPARRING_AVX512 void load_lanes(const float* from, Vec& to) { std::memcpy(&to, from, sizeof(to)); }
SPARRING_INLINE SPARRING_AVX512 void load_lanes(const Bf16* from, Vec& to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof(halves));
  Words words;
  widen(halves, words);
  to = (Vec)(words << 16);
}
SPARRING_INLINE SPARRING_AVX512 void store_lanes(float* to, const Vec& from) { std::memcpy(to, &from, sizeof(from)); }
SPARRING_INLINE SPARRING_AVX512 void store_lanes(Bf16* to, const Vec& from) {
  const auto bits = (Words)from;
  const Words nearest_even = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const Words nan = nearest_even * 0 + 0x7fc0;  // rounding could carry a NaN over into a number
  Halves halves;
  narrow(from == from ? nearest_even : nan, halves);
  std::memcpy(to, &halves, sizeof(halves));
}

// Of a transposition of 16 x 16: swaps what differs in one bit, `step`, of row and lane.
template <int step>
SPARRING_INLINE SPARRING_AVX512 void transpose_bit(Words (&rows)[kLanes]) {
  Words low, high;
  for (int lane = 0; lane < kLanes; ++lane) {
    low[lane] = lane & step ? kLanes + lane - step : lane;
    high[lane] = lane & step ? kLanes + lane : lane + step;
  }
#pragma GCC unroll 16
  for (int row = 0; row < kLanes; ++row) {
    if (row & step) continue;
    const Words a = rows[row], b = rows[row + step];
#if defined(SPARRING_HAS_AVX512)
    rows[row] = __builtin_shuffle(a, b, low);
    rows[row + step] = __builtin_shuffle(a, b, high);
#else
    for (int lane = 0; lane < kLanes; ++lane) {
      rows[row][lane] = low[lane] < kLanes ? a[low[lane]] : b[low[lane] - kLanes];
      rows[row + step][lane] = high[lane] < kLanes ? a[high[lane]] : b[high[lane] - kLanes];
    }
#endif
  }
}
SPARRING_INLINE SPARRING_AVX512 void transpose(Words (&rows)[kLanes]) {
  transpose_bit<8>(rows);
  transpose_bit<4>(rows);
  transpose_bit<2>(rows);
  transpose_bit<1>(rows);
}

}  // namespace sparring::cpu
