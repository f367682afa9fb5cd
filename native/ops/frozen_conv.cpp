#include "ops/frozen_conv.h"

#include <optional>

#include "ops/cpu/winograd_kernel.h"
#include "ops/named_operation.h"

namespace sparring {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Of inputs times outputs. Transformed weights are four or eleven times as many and fp32: at most 38 or 105 MB for each direction.
constexpr int64_t kLargestWeight = int64_t{1} << 18;

cpu::Scale forward_scale(bool upsamples) { return upsamples ? cpu::Scale::doubled : cpu::Scale::same; }
cpu::Scale backward_scale(bool upsamples) { return upsamples ? cpu::Scale::halved : cpu::Scale::same; }

class FrozenConvFunction : public torch::autograd::Function<FrozenConvFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& backward_weight,
                            const std::optional<at::Tensor>& bias, int64_t out_channels, bool upsamples) {
    ctx->save_for_backward({backward_weight});
    ctx->saved_data["channels"] = x.size(1);
    ctx->saved_data["upsamples"] = upsamples;
    return cpu::winograd_conv(x, weight, out_channels, bias.value_or(at::Tensor()), forward_scale(upsamples));
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "frozen_conv has no second derivative");
    const auto dy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    const auto scale = backward_scale(ctx->saved_data["upsamples"].toBool());
    return {cpu::winograd_conv(dy, ctx->get_saved_variables()[0], ctx->saved_data["channels"].toInt(), {}, scale), {}, {}, {}, {}, {}};
  }
};

}  // namespace

int64_t FrozenConv::tile_of(const at::Tensor& x) const {
  const int64_t factor = upsamples_ ? 2 : 1;
  return cpu::winograd_tile(weight_.size(1), weight_.size(0), factor * x.size(2), factor * x.size(3), x.scalar_type());
}

bool FrozenConv::takes(const at::Tensor& x) const {
  const auto type = x.scalar_type();
  const int64_t out = weight_.size(0), in = weight_.size(1), factor = upsamples_ ? 2 : 1;
  if (type != weight_.scalar_type() || !cpu::winograd_takes(x, type, in, out)) return false;
  return in * out <= kLargestWeight && cpu::winograd_pays(in, out, factor * x.size(2), factor * x.size(3), type);
}

at::Tensor FrozenConv::operator()(const at::Tensor& x) {
  const int64_t tile = tile_of(x);
  auto& [forward, backward] = tile == 4 ? four_ : eight_;
  if (!forward.defined()) forward = cpu::winograd_weight(weight_, forward_scale(upsamples_), tile);
  if (bias_.defined() && !fp32_bias_.defined()) fp32_bias_ = bias_.to(at::kFloat).contiguous();
  const NamedOperation named(upsamples_ ? "sparring::upsample_conv2d" : "sparring::conv2d", {x, weight_, bias_});
  const auto input = x.contiguous(at::MemoryFormat::ChannelsLast);
  if (!at::GradMode::is_enabled() || !x.requires_grad()) {
    return cpu::winograd_conv(input, forward, weight_.size(0), fp32_bias_, forward_scale(upsamples_));
  }
  if (!backward.defined()) backward = cpu::winograd_weight(cpu::mirrored_filters(weight_), backward_scale(upsamples_), tile);
  const auto bias = bias_.defined() ? std::optional(fp32_bias_) : std::nullopt;
  return FrozenConvFunction::apply(input, forward, backward, bias, weight_.size(0), upsamples_);
}

}  // namespace sparring
