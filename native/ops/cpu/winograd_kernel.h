// The CPU kernels behind 3x3 convolutions: Winograd's minimal filtering F(4x4, 3x3) and F(8x8, 3x3) (Lavin & Gray
// 2015, arXiv 1509.09308), in fp32 whatever the type of the activations. Internal to native/ops.
#pragma once

#include <ATen/ATen.h>

#include "ops/cpu/winograd_tiles.h"

namespace sparring::cpu {

// Whether this processor and this build have the kernel (AVX-512; GCC on Linux).
bool has_winograd();
// Whether it computes in this type on images x of so many channels, to so many, at all. What is no image is left to ATen, which says what is wrong.
bool winograd_takes(const at::Tensor& x, at::ScalarType type, int64_t in, int64_t out);
// The side of the tiles that images are best cut into, 4 or 8. It does not depend on the size of the batch, nor does any bit.
int64_t winograd_tile(int64_t in, int64_t out, int64_t height, int64_t width, at::ScalarType type);
// Whether, with these tiles, winograd_conv on weights that are transformed already and winograd_weight_gradient are faster than ATen.
bool winograd_pays(int64_t in, int64_t out, int64_t height, int64_t width, at::ScalarType type);
bool winograd_gradient_pays(int64_t in, int64_t out, int64_t height, int64_t width, at::ScalarType type);

// weight: [O, I, 3, 3], O a multiple of 16 -> [positions, ceil(O / 32), I, 32] fp32: each position of the transformed filters as a matrix of its
// own, in panels of 32 output channels, the second half of the last one undefined where O is no multiple of 32; all 36 or 100 positions of tiles of 4
// or 8, or 25 or 81 with a scale. Positions do not follow each other without a gap.
at::Tensor winograd_weight(const at::Tensor& weight, Scale scale, int64_t tile);

// The 3x3 convolution of stride 1 and padding 1, and what the scale says before or after it. x: [B, I, H, W] channels-last in fp32 or bf16, not
// empty, I a multiple of 16, H and W even for Scale::halved; weight: from winograd_weight with the same scale and either tile; bias: [O] fp32 contiguous,
// or undefined -> [B, out_channels, H', W'] like x; out_channels a multiple of 16. The gradient of x is the same of dy with the mirrored filters
// and the opposite scale.
at::Tensor winograd_conv(const at::Tensor& x, const at::Tensor& weight, int64_t out_channels, const at::Tensor& bias, Scale scale);

// weight: [O, I, 3, 3] -> [I, O, 3, 3], mirrored in both directions.
at::Tensor mirrored_filters(const at::Tensor& weight);

// The gradient of the weight of the same convolution without a scale: x: [B, I, H, W], dy: [B, O, H, W], both channels-last in the same type,
// fp32 or bf16, not empty, O and I multiples of 16; tile: 4 or 8 -> [O, I, 3, 3] channels-last, fp32. Bits do not depend on the number of threads.
at::Tensor winograd_weight_gradient(const at::Tensor& x, const at::Tensor& dy, int64_t tile);

}  // namespace sparring::cpu
