#include "models/following_norm.h"

#include "ops/batch_norm.h"

namespace sparring {

at::Tensor FollowingNormImpl::forward(const at::Tensor& x) { return folded_ ? x : batch_norm(*this, x, /*relu=*/false); }

at::Tensor FollowingNormImpl::then_relu(at::Tensor x) { return folded_ ? x.relu_() : batch_norm(*this, x, /*relu=*/true); }

// norm(w * x) = s (w * x - mean) + bias = (s w) * x + (bias - s mean), with s = weight / sqrt(variance + eps)
void FollowingNormImpl::fold() {
  TORCH_CHECK(!folded_ && !convolution_->bias.defined(), "a norm is folded once, into a convolution without a bias");
  const torch::NoGradGuard no_grad;
  const auto scale = weight * (running_var + options.eps()).rsqrt();  // [C]
  convolution_->weight.mul_(scale.view({-1, 1, 1, 1}));               // [C, I, k, k]
  convolution_->bias = bias - scale * running_mean;
  folded_ = true;
}

}  // namespace sparring
