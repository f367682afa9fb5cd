// Automatic mixed precision: 16-bit convolutions and matrix products on fp32 weights.
#pragma once

#include <torch/torch.h>

namespace sparring {

// Autocast to bf16 on or off for one device while it lives; the cache of cast weights is emptied at the end.
class AutocastGuard {
 public:
  AutocastGuard(at::DeviceType device, bool enabled);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;

 private:
  at::DeviceType device_;
  bool previous_;
};

// The type in which a convolution or a product of x is computed on its device: that of autocast where it casts x.
at::ScalarType computed_type(const at::Tensor& x);

}  // namespace sparring
