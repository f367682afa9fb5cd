#include "ops/batch_conv.h"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include <ATen/autocast_mode.h>

#include "ops/autocast.h"
#include "ops/named_operation.h"
#include "ops/precision.h"

namespace sparring {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr int64_t kFewestImages = 8;      // as many as the rows of a tile
constexpr int64_t kFewestChannels = 32;   // for gradients of the weight: as many as the columns of a tile
constexpr int64_t kMostPixels = 256;      // of an output, for gradients: with more, those of ATen are as fast
constexpr int64_t kMostPixelsOfOne = 64;  // the same of 1x1 convolutions
// Inputs times outputs of a frozen convolution: with as many, a single image waits for its weights, which come once for each of its pixels.
constexpr int64_t kManyFilters = int64_t{1} << 17;

int64_t outputs(const at::Tensor& x, const Window& window) { return window.outputs(x.size(2)) * window.outputs(x.size(3)); }

// Of the taps of all outputs, how many lie inside the image.
double share_inside(const at::Tensor& x, const Window& window) {
  double share = 1;
  for (const int64_t side : {x.size(2), x.size(3)}) {
    int64_t inside = 0;
    for (int64_t out = 0; out < window.outputs(side); ++out) {
      const int64_t first = out * window.stride - window.padding;
      inside += std::max<int64_t>(0, std::min(side, first + window.kernel) - std::max<int64_t>(0, first));
    }
    share *= static_cast<double>(inside) / static_cast<double>(window.kernel * window.outputs(side));
  }
  return share;
}

// ATen's kernels for AMX do sixteen times as many products at a time.
bool pays_here() {
  static const bool pays = !bf16_hardware().amx;
  return pays;
}

// Which of the three products of a convolution that is trained are faster than ATen's, as measured in
// benchmarks/results/2026-11-29-cpu-strided-convolutions.md.
bool multiplying_pays(const at::Tensor& x, const Window& window) { return share_inside(x, window) <= 0.75; }
bool gradients_pay(const at::Tensor& x, const Window& window) { return outputs(x, window) <= (window.kernel == 1 ? kMostPixelsOfOne : kMostPixels); }
bool input_gradient_pays(const at::Tensor& x, const Window& window) { return window.stride > 1 ? gradients_pay(x, window) : multiplying_pays(x, window); }
bool weight_gradient_pays(const at::Tensor& x, const Window& window) { return x.size(1) >= kFewestChannels && gradients_pay(x, window); }

void save(AutogradContext* ctx, const Window& window) { ctx->saved_data["window"] = std::vector<int64_t>{window.kernel, window.stride, window.padding}; }

Window saved_window(AutogradContext* ctx) {
  const auto saved = ctx->saved_data["window"].toIntVector();
  return {saved[0], saved[1], saved[2]};
}

class TrainedBatchConv : public torch::autograd::Function<TrainedBatchConv> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, const Window& window) {
    // What autocast would cast here it would keep, without gradients, for whoever uses the weight next.
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    ctx->save_for_backward({x, weight});
    ctx->saved_data["biased"] = bias.has_value();
    save(ctx, window);
    const auto offset = bias.value_or(at::Tensor());
    if (multiplying_pays(x, window)) return cpu::batch_conv(x, cpu::batch_conv_weight(weight), weight.size(0), offset, window);
    return at::conv2d(x, weight.to(at::kBFloat16), offset.defined() ? offset.to(at::kBFloat16) : offset, window.stride, window.padding);
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "batch_conv has no second derivative");
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto window = saved_window(ctx);
    const auto dy = gradients[0].to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
    at::Tensor dx, dweight, dbias;
    const bool own_dx = input_gradient_pays(x, window), own_dweight = weight_gradient_pays(x, window);
    const std::array<bool, 3> of_aten{ctx->needs_input_grad(0) && !own_dx, ctx->needs_input_grad(1) && !own_dweight, false};
    if (of_aten[0] || of_aten[1]) {
      std::tie(dx, dweight, std::ignore) = at::convolution_backward(dy, x, weight.to(at::kBFloat16), std::nullopt, {window.stride, window.stride}, {window.padding, window.padding}, {1, 1},
                                                                    /*transposed=*/false, {0, 0}, /*groups=*/1, of_aten);
      if (dweight.defined()) dweight = dweight.to(at::kFloat);
    }
    if (ctx->needs_input_grad(0) && own_dx) dx = cpu::batch_conv_input_gradient(dy, cpu::batch_conv_transposed_weight(weight), x.sizes(), window);
    if (ctx->needs_input_grad(1) && own_dweight) dweight = cpu::batch_conv_weight_gradient(x, dy, window);
    if (ctx->saved_data["biased"].toBool() && ctx->needs_input_grad(2)) dbias = at::sum(dy, {0, 2, 3}, /*keepdim=*/false, at::kFloat);
    return {dx, dweight, dbias, {}};
  }
};

class FrozenBatchConvFunction : public torch::autograd::Function<FrozenBatchConvFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& backward_weight, const std::optional<at::Tensor>& bias,
                            int64_t out_channels, const Window& window) {
    ctx->save_for_backward({backward_weight});
    ctx->saved_data["sizes"] = x.sizes().vec();
    save(ctx, window);
    return cpu::batch_conv(x, weight, out_channels, bias.value_or(at::Tensor()), window);
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "batch_conv has no second derivative");
    const auto dy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    return {cpu::batch_conv_input_gradient(dy, ctx->get_saved_variables()[0], ctx->saved_data["sizes"].toIntVector(), saved_window(ctx)), {}, {}, {}, {}, {}};
  }
};

}  // namespace

bool batch_conv_takes(const at::Tensor& x, const at::Tensor& weight, const Window& window) {
  if (!at::GradMode::is_enabled() || !weight.requires_grad() || weight.scalar_type() != at::kFloat) return false;
  if (!pays_here() || !cpu::batch_conv_takes(x, computed_type(x), weight.size(1), weight.size(0), window) || x.size(0) < kFewestImages) return false;
  return multiplying_pays(x, window) || input_gradient_pays(x, window) || weight_gradient_pays(x, window);
}

at::Tensor batch_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const Window& window) {
  const auto input = x.to(computed_type(x)).contiguous(at::MemoryFormat::ChannelsLast);
  return TrainedBatchConv::apply(input, weight, bias.defined() ? std::optional(bias) : std::nullopt, window);
}

bool FrozenBatchConv::takes(const at::Tensor& x) const {
  return pays_here() && x.scalar_type() == weight_.scalar_type() && cpu::batch_conv_takes(x, x.scalar_type(), weight_.size(1), weight_.size(0), window_) && multiplying_pays(x, window_) &&
         weight_.size(0) * weight_.size(1) < kManyFilters;
}

at::Tensor FrozenBatchConv::operator()(const at::Tensor& x) {
  if (!forward_.defined()) forward_ = cpu::batch_conv_weight(weight_);
  if (bias_.defined() && !fp32_bias_.defined()) fp32_bias_ = bias_.to(at::kFloat).contiguous();
  const NamedOperation named("sparring::conv2d", {x, weight_, bias_});
  const auto input = x.contiguous(at::MemoryFormat::ChannelsLast);
  if (!at::GradMode::is_enabled() || !x.requires_grad()) return cpu::batch_conv(input, forward_, weight_.size(0), fp32_bias_, window_);
  if (!backward_.defined()) backward_ = cpu::batch_conv_transposed_weight(weight_);
  return FrozenBatchConvFunction::apply(input, forward_, backward_, bias_.defined() ? std::optional(fp32_bias_) : std::nullopt, weight_.size(0), window_);
}

}  // namespace sparring
