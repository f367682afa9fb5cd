// The 3x3 convolution of a frozen network, whose weights are made ready once: by Winograd's minimal filtering, with a quarter of
// the multiplications.
#pragma once

#include <torch/torch.h>

namespace sparring {

class FrozenConv {
 public:
  // weight: [O, I, 3, 3], bias: [O] or undefined; neither may change afterwards. Stride and padding are 1.
  FrozenConv(at::Tensor weight, at::Tensor bias) : weight_(std::move(weight)), bias_(std::move(bias)) {}

  // Whether the kernel takes x and is faster for it than ATen's convolution; does not depend on the size of the batch.
  bool takes(const at::Tensor& x) const;

  // x: [B, I, H, W] in the type of the weight -> [B, O, H, W], channels-last. Computed in fp32 and rounded once: 0.5 to 1.5e-6
  // off in fp32, where ATen is off by 1 to 4e-7; in bf16 the rounding of the result outweighs both. Gradients reach x only, once: there
  // is no second derivative.
  at::Tensor operator()(const at::Tensor& x);

 private:
  at::Tensor weight_, bias_;
  at::Tensor fp32_bias_, forward_, backward_;  // transformed at the first use
};

}  // namespace sparring
