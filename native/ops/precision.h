// Whether this processor multiplies bf16 in hardware (AMX-BF16 or AVX512-BF16); without it bf16 is slower than fp32.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sparring {

inline bool cpu_has_bf16() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  const bool amx_bf16 = edx & (1u << 22);
  if (!__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) return amx_bf16;
  const bool avx512_bf16 = eax & (1u << 5);
  return amx_bf16 || avx512_bf16;
#else
  return false;
#endif
}

}  // namespace sparring
