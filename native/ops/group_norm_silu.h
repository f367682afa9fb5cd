// Group normalisation (Wu & He 2018, arXiv 1803.08494) followed by SiLU, in one pass over the memory each way.
#pragma once

#include <torch/torch.h>

namespace sparring {

// silu(group_norm(x)), or group_norm(x) alone without `silu`.
//   x: [B, C, H, W]; weight, bias: [C]; C a multiple of `groups` -> [B, C, H, W] with the type and layout of x
// Statistics are fp32 or better. A channels-last x in fp32 or bf16 (weights in either) takes the fused kernel of its
// device, on a GPU where libsparring_cuda.so is loaded; everything else takes ATen's operators. The fused backward computes the gradients of weight and bias only when
// they are asked for, and refuses to be differentiated a second time.
at::Tensor group_norm_silu(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                           double eps, bool silu);
// Whether these take the fused kernel.
bool group_norm_silu_is_fused(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace sparring
