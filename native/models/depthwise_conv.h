// Convolutions of a channel each.
#pragma once

#include <torch/torch.h>

namespace sparring {

// torch::nn::Conv2d, which on the CPU computes in fp32 and rounds the result where bf16 is asked for and oneDNN is slow with it: in the gradients of
// x at a stride and of weights of more than 3x3, up to sixty times (benchmarks/results/2026-11-28-cpu-levers.md). One group is left alone.
struct DepthwiseConv2dImpl : torch::nn::Conv2dImpl {
  using torch::nn::Conv2dImpl::Conv2dImpl;

  at::Tensor forward(const at::Tensor& x);  // [B, I, H, W] -> [B, O, H', W']
};
TORCH_MODULE(DepthwiseConv2d);

}  // namespace sparring
