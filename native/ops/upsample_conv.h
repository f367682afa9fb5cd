// Nearest-neighbour 2x upsampling followed by a 3x3 convolution (padding 1), as one transposed convolution.
#pragma once

#include <torch/torch.h>

namespace sparring {

// Each output pixel of the pair reads a 2x2 window of the small image, since neighbours in the upsampled image repeat;
// summing the kernel taps that meet the same pixel gives an exactly equal 4x4 transposed convolution of stride 2 with
// 4/9 of the multiplications. Sums in fp32 (fp64 for fp64), returns the type of `weight`. Do it once per frozen weight.
//   weight: [O, I, 3, 3] -> [I, O, 4, 4]
at::Tensor merge_upsample_conv(const at::Tensor& weight);

// x: [B, I, H, W], merged: from merge_upsample_conv, bias: [O] or undefined -> [B, O, 2H, 2W]
at::Tensor upsample_conv(const at::Tensor& x, const at::Tensor& merged, const at::Tensor& bias);

}  // namespace sparring
