// Whether this processor multiplies bf16 in hardware (AMX-BF16 or AVX512-BF16); without it bf16 is slower than fp32.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sparring {

struct Bf16Hardware {
  bool amx = false, avx512 = false;
};

inline Bf16Hardware bf16_hardware() {
  Bf16Hardware found;
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return found;
  found.amx = edx & (1u << 22);
  if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) found.avx512 = eax & (1u << 5);
#endif
  return found;
}

inline bool cpu_has_bf16() {
  const auto found = bf16_hardware();
  return found.amx || found.avx512;
}

}  // namespace sparring
