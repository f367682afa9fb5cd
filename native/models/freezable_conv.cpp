#include "models/freezable_conv.h"

#include <optional>

#include "ops/batch_conv.h"
#include "ops/frozen_conv.h"
#include "ops/packed_conv.h"
#include "ops/trained_conv.h"
#include "ops/upsample_conv.h"

namespace sparring {
namespace {

// What kernels of ours need to know of a convolution: the same in rows and columns, without dilation and groups, if it is so.
std::optional<Window> window_of(const torch::nn::detail::ConvNdOptions<2>& options) {
  const auto* padding = std::get_if<torch::ExpandingArray<2>>(&options.padding());
  const auto is_square = [](const torch::ExpandingArray<2>& values) { return values->at(0) == values->at(1); };
  if (!padding || !is_square(*padding) || !is_square(options.kernel_size()) || !is_square(options.stride()) || options.groups() != 1) return std::nullopt;
  if (options.dilation()->at(0) != 1 || options.dilation()->at(1) != 1) return std::nullopt;
  return Window{options.kernel_size()->at(0), options.stride()->at(0), (*padding)->at(0)};
}

bool is_plain(const Window& window) { return window.kernel == 3 && window.stride == 1 && window.padding == 1; }

at::Tensor convolve(torch::nn::Conv2dImpl& conv, const at::Tensor& x) {
  const auto window = window_of(conv.options);
  if (window && is_plain(*window) && trained_conv_takes(x, conv.weight)) return trained_conv(x, conv.weight, conv.bias);
  return window && batch_conv_takes(x, conv.weight, *window) ? batch_conv(x, conv.weight, conv.bias, *window) : conv.forward(x);
}

}  // namespace

at::Tensor FreezableConv2dImpl::forward(const at::Tensor& x) {
  if (frozen_ && frozen_->takes(x)) return (*frozen_)(x);
  if (batched_ && batched_->takes(x)) return (*batched_)(x);
  if (packed_ && packed_->takes(x)) return (*packed_)(x);
  return frozen_ ? Conv2dImpl::forward(x) : convolve(*this, x);
}

void FreezableConv2dImpl::freeze() {
  const auto given = bias.defined() ? bias.detach() : bias;
  const auto window = window_of(options);
  if (window && is_plain(*window)) frozen_ = std::make_shared<FrozenConv>(weight.detach(), given);
  if (bias.defined()) bias = given.to(weight.scalar_type());
  if (!window) return;
  batched_ = std::make_shared<FrozenBatchConv>(weight.detach(), given, *window);
  packed_ = std::make_shared<PackedConv>(weight.detach(), bias, window->stride, window->padding);
}

UpsampleConv2dImpl::UpsampleConv2dImpl(int64_t in, int64_t out, bool bias)
    : Conv2dImpl(torch::nn::Conv2dOptions(in, out, 3).padding(1).bias(bias)) {}

at::Tensor UpsampleConv2dImpl::forward(const at::Tensor& x) {
  if (frozen_ && frozen_->takes(x)) return (*frozen_)(x);
  if (packed_ && packed_->takes(x)) return (*packed_)(x);
  if (merged_.defined()) return upsample_conv(x, merged_, bias);
  return convolve(*this, at::upsample_nearest2d(x, {x.size(2) * 2, x.size(3) * 2}));
}

void UpsampleConv2dImpl::merge(at::ScalarType dtype) {
  const torch::NoGradGuard no_grad;
  merged_ = merge_upsample_conv(weight).to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
}

void UpsampleConv2dImpl::freeze() {
  frozen_ = std::make_shared<FrozenConv>(weight.detach(), bias.defined() ? bias.detach() : bias, /*upsamples=*/true);
  packed_ = std::make_shared<PackedConv>(merged_, bias.defined() ? bias.detach() : bias, /*stride=*/2, /*padding=*/1, PackedConv::Kind::transposed);
}

}  // namespace sparring
