// Between 8-bit pixels and the -1..1 of diffusion models and autoencoders.
#pragma once

#include <torch/torch.h>

namespace sparring {

// [B, 3, H, W] in -1..1, values outside clamped -> [B, H, W, 3] uint8, on the CPU
inline at::Tensor to_uint8(const at::Tensor& images) {
  return ((images + 1) * 127.5).round().clamp(0, 255).to(at::kByte).permute({0, 2, 3, 1}).contiguous().cpu();
}

// [B, H, W, 3] uint8 -> [B, 3, H, W] fp32 in -1..1, on `device`
inline at::Tensor from_uint8(const at::Tensor& images, at::Device device) {
  return images.to(device).permute({0, 3, 1, 2}).to(at::kFloat) / 127.5 - 1;
}

}  // namespace sparring
