#include "models/depthwise_conv.h"

#include <algorithm>

#include <ATen/autocast_mode.h>

#include "ops/autocast.h"

namespace sparring {

at::Tensor DepthwiseConv2dImpl::forward(const at::Tensor& x) {
  const auto largest = [](const torch::ExpandingArray<2>& sizes) { return std::max(sizes->at(0), sizes->at(1)); };
  const bool slow = (largest(options.stride()) > 1 && x.requires_grad()) || (largest(options.kernel_size()) > 3 && weight.requires_grad());
  if (!slow || options.groups() == 1 || !at::GradMode::is_enabled() || !x.is_cpu() || computed_type(x) != at::kBFloat16) return Conv2dImpl::forward(x);
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  const auto offset = bias.defined() ? bias.to(at::kFloat) : bias;
  const auto padding = std::get<torch::ExpandingArray<2>>(options.padding());
  return at::conv2d(x.to(at::kFloat), weight.to(at::kFloat), offset, options.stride(), padding, options.dilation(), options.groups()).to(at::kBFloat16);
}

}  // namespace sparring
