// For loops that the compiler vectorises: several instruction sets in one binary, bf16 as bits, an exp without branches.
#pragma once

#include <bit>
#include <cstdint>

// A function so marked is compiled once per instruction set; the loader picks the best that the processor has.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define SPARRING_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SPARRING_SIMD
#endif
#define SPARRING_INLINE inline __attribute__((always_inline))

namespace sparring::cpu {

// The bits of a bf16: the upper half of an fp32.
struct Bf16 {
  uint16_t bits;
};

SPARRING_INLINE float load(float value) { return value; }
SPARRING_INLINE float load(Bf16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

SPARRING_INLINE void store(float* to, float value) { *to = value; }
SPARRING_INLINE void store(Bf16* to, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t nearest_even = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  constexpr uint32_t kNan = 0x7fc0;  // rounding could carry a NaN over into a number
  to->bits = static_cast<uint16_t>(value == value ? nearest_even : kNan);
}

// e^x for x clamped to [-87, 87], with a relative error below 2e-7: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2].
SPARRING_INLINE float exp_clamped(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 87.0f ? 87.0f : x;
  constexpr float kRound = 0x1.8p23f;  // adding it leaves the nearest integer in the low bits
  const float rounded = x * 1.44269504f + kRound;
  const float n = rounded - kRound;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;  // ln 2 in two parts
  float p = 1.9875691500e-4f;  // coefficients of Cephes' expf
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(p) + (std::bit_cast<uint32_t>(rounded) << 23));
}

SPARRING_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp_clamped(-x)); }

}  // namespace sparring::cpu
