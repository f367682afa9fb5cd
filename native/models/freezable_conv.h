// Convolutions with kernels of their own, which run on prepared weights once their network is frozen.
#pragma once

#include <memory>

#include <torch/torch.h>

namespace sparring {

class FrozenBatchConv;
class FrozenConv;
class PackedConv;

// torch::nn::Conv2d, keys and initialisation included.
struct FreezableConv2dImpl : torch::nn::Conv2dImpl {
  using torch::nn::Conv2dImpl::Conv2dImpl;

  at::Tensor forward(const at::Tensor& x);  // [B, I, H, W] -> [B, O, H', W']
  void freeze();                            // weight and bias will not change again; the bias may have more digits than the weight

 private:
  std::shared_ptr<FrozenConv> frozen_;        // of 3x3 convolutions of stride 1 that are frozen
  std::shared_ptr<FrozenBatchConv> batched_;  // for what frozen_ does not take
  std::shared_ptr<PackedConv> packed_;        // for what batched_ does not take either
};
TORCH_MODULE(FreezableConv2d);

// Upsampling to twice the size by nearest neighbours, then a 3x3 convolution of stride 1, with its keys.
struct UpsampleConv2dImpl : torch::nn::Conv2dImpl {
  UpsampleConv2dImpl(int64_t in, int64_t out, bool bias = true);

  at::Tensor forward(const at::Tensor& x);  // [B, I, H, W] -> [B, O, 2H, 2W]
  void merge(at::ScalarType dtype);         // before the weights, which will not change again, are converted to dtype
  void freeze();                            // after that

 private:
  std::shared_ptr<FrozenConv> frozen_;
  at::Tensor merged_;                   // for what frozen_ does not take; see ops/upsample_conv.h
  std::shared_ptr<PackedConv> packed_;  // of those that are merged
};
TORCH_MODULE(UpsampleConv2d);

}  // namespace sparring
