// Batch normalisation of a training step on the CPU. Internal to native/ops.
#pragma once

#include <tuple>

#include <ATen/ATen.h>

namespace sparring::cpu {

// x [B, C, H, W] channels-last in fp32 or bf16, not empty; weight, bias [C] fp32
// -> y like x; mean, variance (biased) [C] fp32
std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps, bool relu);
// dy like x; mean, variance as above -> dx like x; dweight, dbias [C] fp32
std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& variance,
                                                                   const at::Tensor& weight, const at::Tensor& bias, double eps, bool relu);

}  // namespace sparring::cpu
