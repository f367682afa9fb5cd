// Batch normalisation (Ioffe & Szegedy 2015, arXiv 1502.03167), alone or followed by ReLU.
#pragma once

#include <torch/torch.h>

namespace sparring {

// relu(norm(x)), or norm(x) alone without `relu`; a training step moves the running statistics as norm(x) does.
//   x: [B, C, H, W] -> [B, C, H, W] with the type and layout of x
// In training, a channels-last x in fp32 or bf16 on the CPU takes the fused kernel, with statistics in fp32 or better, where weight, bias and
// running statistics are fp32, the momentum is fixed and a channel has two positions or more; everything else takes ATen's
// operators. The fused backward refuses to be differentiated a second time.
at::Tensor batch_norm(torch::nn::BatchNorm2dImpl& norm, const at::Tensor& x, bool relu);
// Whether these take the fused kernel.
bool batch_norm_is_fused(const torch::nn::BatchNorm2dImpl& norm, const at::Tensor& x);

}  // namespace sparring
