// The convolution of a frozen network by oneDNN, with weights in the order that its kernels want. at::conv2d brings them into that order at
// each call, which takes longer than the convolution where the weights are many and the positions few.
#pragma once

#include <torch/torch.h>

namespace sparring {

class PackedConv {
 public:
  enum class Kind { plain, transposed };

  // weight: [O, I, k, k], of a transposed one [I, O, k, k]; bias: [O] or undefined; neither may change afterwards.
  PackedConv(at::Tensor weight, at::Tensor bias, int64_t stride, int64_t padding, Kind kind = Kind::plain)
      : weight_(std::move(weight)), bias_(std::move(bias)), stride_(stride), padding_(padding), kind_(kind) {}

  // Whether it is worth the memory: as much as the weights, and once more for gradients. Does not depend on the size of the batch.
  bool takes(const at::Tensor& x) const;

  // x: [B, I, H, W] in the type of the weight -> [B, O, H', W'], channels-last, by the kernels of at::conv2d or at::conv_transpose2d. Gradients
  // reach x only, once: there is no second derivative.
  at::Tensor operator()(const at::Tensor& x);

 private:
  at::Tensor weight_, bias_;
  int64_t stride_, padding_;
  Kind kind_;
  at::Tensor forward_, backward_;  // made at the first use, best for the sizes that x has then
};

}  // namespace sparring
