// Convolutions in bf16 by the kernels of cpu/batch_conv_kernel.h, for networks that are trained and for frozen ones.
#pragma once

#include <torch/torch.h>

#include "ops/cpu/batch_conv_kernel.h"

namespace sparring {

using cpu::Window;

// Whether a gradient of the weight is being recorded, and `batch_conv` takes these and is faster than ATen's convolution. weight: [O, I, k, k]
bool batch_conv_takes(const at::Tensor& x, const at::Tensor& weight, const Window& window);

// Under autocast in its type, otherwise in that of x.
//   x: [B, I, H, W] in fp32 or bf16, weight: [O, I, k, k] fp32, bias: [O] fp32 or undefined -> [B, O, H', W'] bf16, channels-last
// Which of the three convolutions (this one, the gradient of x, the gradient of the weight) are the kernels' and which ATen's depends on the shapes, that of the
// batch included. The gradient of the bias is summed in fp32 and stays so, that of the weight where it is the kernels'. The weight must not change before the
// backward pass. There is no second derivative.
at::Tensor batch_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const Window& window);

class FrozenBatchConv {
 public:
  // weight: [O, I, k, k], bias: [O] or undefined; neither may change afterwards.
  FrozenBatchConv(at::Tensor weight, at::Tensor bias, const Window& window) : weight_(std::move(weight)), bias_(std::move(bias)), window_(window) {}

  // Whether both are in bf16, and the kernels take x and are faster than ATen's; does not depend on the size of the batch.
  bool takes(const at::Tensor& x) const;

  // x: [B, I, H, W] bf16 -> [B, O, H', W'] channels-last. Gradients reach x only, once: there is no second derivative.
  at::Tensor operator()(const at::Tensor& x);

 private:
  at::Tensor weight_, bias_;
  Window window_;
  at::Tensor forward_, backward_, fp32_bias_;  // made at the first use
};

}  // namespace sparring
