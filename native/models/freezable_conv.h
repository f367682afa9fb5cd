// A convolution that runs on prepared weights once its network is frozen.
#pragma once

#include <memory>

#include <torch/torch.h>

namespace sparring {

class FrozenConv;

// torch::nn::Conv2d, keys and initialisation included, until freeze().
struct FreezableConv2dImpl : torch::nn::Conv2dImpl {
  using torch::nn::Conv2dImpl::Conv2dImpl;

  at::Tensor forward(const at::Tensor& x);  // [B, I, H, W] -> [B, O, H', W']
  void freeze();                            // weight and bias will not change again

 private:
  std::shared_ptr<FrozenConv> frozen_;  // of 3x3 convolutions of stride 1 that are frozen
};
TORCH_MODULE(FreezableConv2d);

}  // namespace sparring
