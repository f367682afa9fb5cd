// The 3x3 convolution of a frozen network, whose weights are made ready once: by Winograd's minimal filtering, with a quarter to
// a sixth of the multiplications, or less where the image is upsampled before it.
#pragma once

#include <torch/torch.h>

namespace sparring {

class FrozenConv {
 public:
  // weight: [O, I, 3, 3], bias: [O] or undefined; neither may change afterwards. Stride and padding are 1. upsamples: to twice the size by
  // nearest neighbours, before the convolution.
  FrozenConv(at::Tensor weight, at::Tensor bias, bool upsamples = false)
      : weight_(std::move(weight)), bias_(std::move(bias)), upsamples_(upsamples) {}

  // Whether the kernel takes x and is faster for it than ATen's convolution; does not depend on the size of the batch.
  bool takes(const at::Tensor& x) const;

  // x: [B, I, H, W] in the type of the weight -> [B, O, H, W] or [B, O, 2H, 2W], channels-last. Computed in fp32 and rounded once: 0.5 to 1.5e-6
  // off in fp32, where ATen is off by 1 to 4e-7; in bf16 by 3e-5, which the rounding of the result outweighs. Gradients reach x only, once: there
  // is no second derivative.
  at::Tensor operator()(const at::Tensor& x);

 private:
  struct Transformed {
    at::Tensor forward, backward;
  };

  int64_t tile_of(const at::Tensor& x) const;

  at::Tensor weight_, bias_;
  bool upsamples_;
  Transformed four_, eight_;  // by the side of a tile, at the first use
  at::Tensor fp32_bias_;
};

}  // namespace sparring
