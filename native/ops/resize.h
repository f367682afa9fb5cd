// Resizing of images by matrix products: the same on every device and in every run, gradients included, which ATen's
// resampling kernels are not on CUDA.
#pragma once

#include <torch/torch.h>

namespace sparring {

// x: [B, C, H, H] -> [B, C, size, size], bicubic (Keys 1981, a = -1/2), with the kernel widened when it shrinks; as
// Pillow, and PyTorch with antialias.
at::Tensor resize(const at::Tensor& x, int64_t size);

}  // namespace sparring
