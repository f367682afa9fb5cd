#include "ops/trained_conv.h"

#include <optional>
#include <tuple>

#include <ATen/autocast_mode.h>

#include "ops/autocast.h"
#include "ops/cpu/winograd_kernel.h"

namespace sparring {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr int64_t kLargestGradient = int64_t{1} << 18;  // of inputs times outputs, whose sums then take at most 38 MB, or 105 with tiles of eight
// It costs something to transform the weights at each use: of how many inputs times outputs, and for how few positions of the images, it pays. In bf16,
// where ATen is twice as fast, more are needed for weights that leave the second cache.
constexpr int64_t kLargestTransformed = int64_t{1} << 16, kLarge = int64_t{1} << 15;
constexpr int64_t kFewestPositions = 1024, kFewestPositionsOfLarge = 2048;

bool convolution_pays(const at::Tensor& x, const at::Tensor& weight) {
  const int64_t out = weight.size(0), in = weight.size(1), height = x.size(2), width = x.size(3);
  const int64_t fewest = x.scalar_type() == at::kBFloat16 && in * out > kLarge ? kFewestPositionsOfLarge : kFewestPositions;
  return in * out <= kLargestTransformed && x.size(0) * height * width >= fewest && cpu::winograd_pays(in, out, height, width, x.scalar_type());
}

int64_t tile_of(const at::Tensor& x, const at::Tensor& weight) { return cpu::winograd_tile(weight.size(1), weight.size(0), x.size(2), x.size(3), x.scalar_type()); }

at::Tensor cast(const at::Tensor& tensor, at::ScalarType type) { return tensor.defined() ? tensor.to(type) : tensor; }

class TrainedConv : public torch::autograd::Function<TrainedConv> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    // What autocast would cast here it would keep, without gradients, for whoever uses the weight next.
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    const bool pays = convolution_pays(x, weight);
    const auto used = pays ? weight : weight.to(x.scalar_type());
    const auto offset = bias.value_or(at::Tensor());
    ctx->save_for_backward({x, used});
    ctx->saved_data["biased"] = bias.has_value();
    if (!pays) return at::conv2d(x, used, cast(offset, x.scalar_type()), 1, 1);
    return cpu::winograd_conv(x, cpu::winograd_weight(used, cpu::Scale::same, tile_of(x, weight)), used.size(0), cast(offset, at::kFloat), cpu::Scale::same);
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "trained_conv has no second derivative");
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto dy = gradients[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    at::Tensor dx, dweight, dbias;
    if (ctx->needs_input_grad(0)) {
      if (convolution_pays(x, weight)) {
        dx = cpu::winograd_conv(dy, cpu::winograd_weight(cpu::mirrored_filters(weight), cpu::Scale::same, tile_of(x, weight)), x.size(1), {}, cpu::Scale::same);
      } else {
        dx = std::get<0>(at::convolution_backward(dy, x, weight, std::nullopt, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1, {true, false, false}));
      }
    }
    if (ctx->needs_input_grad(1)) dweight = cpu::winograd_weight_gradient(x, dy, tile_of(x, weight));
    if (ctx->saved_data["biased"].toBool() && ctx->needs_input_grad(2)) dbias = at::sum(dy, {0, 2, 3}, /*keepdim=*/false, at::kFloat);
    return {dx, dweight, dbias};
  }
};

}  // namespace

bool trained_conv_takes(const at::Tensor& x, const at::Tensor& weight) {
  if (!at::GradMode::is_enabled() || !weight.requires_grad() || weight.scalar_type() != at::kFloat) return false;
  const int64_t out = weight.size(0), in = weight.size(1);
  return cpu::winograd_takes(x, computed_type(x), in, out) && in * out <= kLargestGradient && cpu::winograd_gradient_pays(in, out, x.size(2), x.size(3), computed_type(x));
}

at::Tensor trained_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto input = x.to(computed_type(x)).contiguous(at::MemoryFormat::ChannelsLast);
  return TrainedConv::apply(input, weight, bias.defined() ? std::optional(bias) : std::nullopt);
}

}  // namespace sparring
