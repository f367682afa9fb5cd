// The 3x3 convolution of a network that is being trained, by Winograd's minimal filtering: gradients reach weight and bias too.
#pragma once

#include <torch/torch.h>

namespace sparring {

// Whether a gradient of the weight is being recorded, and `trained_conv` takes these and is faster than ATen's convolution. weight: [O, I, 3, 3]
bool trained_conv_takes(const at::Tensor& x, const at::Tensor& weight);

// Stride and padding 1; under autocast in its type, otherwise in that of x.
//   x: [B, I, H, W] in fp32 or bf16, weight: [O, I, 3, 3] fp32, bias: [O] fp32 or undefined -> [B, O, H, W], channels-last
// Products are summed in fp32 whatever the type of x, and gradients of weight and bias stay in fp32. Which of the three convolutions (this one, the
// gradient of x, the gradient of the weight) are the kernel's and which ATen's depends on the shapes, that of the batch included. The weight must not
// change before the backward pass. There is no second derivative.
at::Tensor trained_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace sparring
