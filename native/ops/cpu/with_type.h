// From a tensor to the type that its loops are written in, fp32 or bf16. Internal to native/ops/cpu.
#pragma once

#include <ATen/ATen.h>

#include "ops/cpu/simd.h"

namespace sparring::cpu {

template <class T>
T* data(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

// Calls run(T*) with a null pointer whose type is that of the numbers of x.
template <class Run>
void with_type_of(const at::Tensor& x, const Run& run) {
  if (x.scalar_type() == at::kFloat) run(static_cast<float*>(nullptr));
  else run(static_cast<Bf16*>(nullptr));
}

}  // namespace sparring::cpu
