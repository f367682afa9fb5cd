// Batch norms that follow convolutions.
#pragma once

#include <memory>

#include <torch/torch.h>

namespace sparring {

// torch::nn::BatchNorm2d of what a convolution without bias gives, keys and initialisation included. Once their network is frozen it is in the weights
// and the bias of the convolution.
class FollowingNormImpl : public torch::nn::BatchNorm2dImpl {
 public:
  template <class Convolution>
  explicit FollowingNormImpl(const torch::nn::ModuleHolder<Convolution>& convolution)
      : BatchNorm2dImpl(convolution->options.out_channels()), convolution_(convolution.ptr()) {}

  at::Tensor forward(const at::Tensor& x);  // [B, C, H, W] -> the same
  at::Tensor then_relu(at::Tensor x);       // the same, followed by ReLU; may overwrite x, which nothing else reads
  // Once, with the running statistics as they are, which will not change again: to be done in fp32. The bias that the convolution then has is none
  // of its parameters.
  void fold();

 private:
  std::shared_ptr<torch::nn::Conv2dImpl> convolution_;
  bool folded_ = false;
};
TORCH_MODULE(FollowingNorm);

}  // namespace sparring
