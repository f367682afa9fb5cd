// The CPU kernels behind group_norm_silu: channels-last activations, fp32 or bf16. Internal to native/ops.
#pragma once

#include <ATen/ATen.h>

namespace sparring::cpu {

struct GroupNormForward {
  at::Tensor y;           // like x
  at::Tensor mean, rstd;  // [B, groups] fp32
};

// x: [B, C, H, W] channels-last, not empty; weight, bias: [C] fp32 contiguous.
GroupNormForward group_norm_silu_forward(const at::Tensor& x, int64_t groups, const at::Tensor& weight,
                                         const at::Tensor& bias, double eps, bool silu);

struct GroupNormBackward {
  at::Tensor dx;              // like x
  at::Tensor dweight, dbias;  // [C] fp32; undefined unless asked for
};

// dy: like x.
GroupNormBackward group_norm_silu_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean,
                                           const at::Tensor& rstd, const at::Tensor& weight, const at::Tensor& bias,
                                           bool silu, bool weight_gradients);

}  // namespace sparring::cpu
