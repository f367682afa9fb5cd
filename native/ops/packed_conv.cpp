#include "ops/packed_conv.h"

#include <optional>
#include <string_view>

#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "ops/named_operation.h"
#include "ops/precision.h"

namespace sparring {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr int64_t kFewestWeights = int64_t{1} << 18;
constexpr int64_t kMostPositions = 256;  // of an image

struct Geometry {
  int64_t stride, padding;
};

using Ints = at::IntArrayRef;
using Bias = std::optional<at::Tensor>;
using Scalars = c10::List<std::optional<at::Scalar>>;
using Text = std::optional<std::string_view>;

using Pack = at::Tensor(const at::Tensor& weight, Ints padding, Ints stride, Ints dilation, int64_t groups, at::OptionalIntArrayRef input_size);
using PackTransposed = at::Tensor(const at::Tensor& weight, Ints padding, Ints output_padding, Ints stride, Ints dilation, int64_t groups, at::OptionalIntArrayRef input_size);
using Convolve = at::Tensor(const at::Tensor& x, const at::Tensor& packed, const Bias& bias, Ints padding, Ints stride, Ints dilation, int64_t groups, std::string_view then, Scalars, Text);
using ConvolveTransposed =
    at::Tensor(const at::Tensor& x, const at::Tensor& packed, const Bias& bias, Ints padding, Ints output_padding, Ints stride, Ints dilation, int64_t groups, std::string_view then, Scalars, Text);

struct Operations {
  c10::TypedOperatorHandle<Pack> pack;
  c10::TypedOperatorHandle<PackTransposed> pack_transposed;
  c10::TypedOperatorHandle<Convolve> convolve;
  c10::TypedOperatorHandle<ConvolveTransposed> convolve_transposed;
};

// Those of the LibTorch that is open, or none where it has them not or with other arguments.
const std::optional<Operations>& operations() {
  static const std::optional<Operations> found = []() -> std::optional<Operations> {
    if (!at::hasMKLDNN()) return std::nullopt;
    const auto named = [](const char* name) { return c10::Dispatcher::singleton().findSchemaOrThrow(name, ""); };
    try {
      return Operations{named("mkldnn::_reorder_convolution_weight").typed<Pack>(), named("mkldnn::_reorder_convolution_transpose_weight").typed<PackTransposed>(),
                        named("mkldnn::_convolution_pointwise").typed<Convolve>(), named("mkldnn::_convolution_transpose_pointwise").typed<ConvolveTransposed>()};
    } catch (const c10::Error&) {
      return std::nullopt;
    }
  }();
  return found;
}

at::Tensor pack(const at::Tensor& weight, Geometry g, Ints input_size) {
  return operations()->pack.call(weight, {g.padding, g.padding}, {g.stride, g.stride}, {1, 1}, 1, input_size);
}

at::Tensor pack_transposed(const at::Tensor& weight, Geometry g, Ints output_padding, Ints input_size) {
  return operations()->pack_transposed.call(weight, {g.padding, g.padding}, output_padding, {g.stride, g.stride}, {1, 1}, 1, input_size);
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& packed, const Bias& bias, Geometry g) {
  return operations()->convolve.call(x, packed, bias, {g.padding, g.padding}, {g.stride, g.stride}, {1, 1}, 1, "none", Scalars(), std::nullopt);
}

at::Tensor convolve_transposed(const at::Tensor& x, const at::Tensor& packed, const Bias& bias, Geometry g, Ints output_padding) {
  return operations()->convolve_transposed.call(x, packed, bias, {g.padding, g.padding}, output_padding, {g.stride, g.stride}, {1, 1}, 1, "none", Scalars(), std::nullopt);
}

// Rows and columns that a convolution leaves out at the end, and the transposed one must add: [2]
std::vector<int64_t> remainder_of(Ints size, int64_t kernel, Geometry g) {
  return {(size[2] + 2 * g.padding - kernel) % g.stride, (size[3] + 2 * g.padding - kernel) % g.stride};
}

// The gradient of a convolution is the transposed one with the same weights, and the other way round.
class PackedConvFunction : public torch::autograd::Function<PackedConvFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& packed, const at::Tensor& packed_for_gradient, const std::optional<at::Tensor>& bias,
                            int64_t stride, int64_t padding, std::vector<int64_t> remainder, bool transposed) {
    const Geometry geometry{stride, padding};
    ctx->save_for_backward({packed_for_gradient});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["padding"] = padding;
    ctx->saved_data["remainder"] = remainder;
    ctx->saved_data["transposed"] = transposed;
    return transposed ? convolve_transposed(x, packed, bias, geometry, {0, 0}) : convolve(x, packed, bias, geometry);
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "packed_conv has no second derivative");
    const auto dy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    const Geometry geometry{ctx->saved_data["stride"].toInt(), ctx->saved_data["padding"].toInt()};
    const auto packed = ctx->get_saved_variables()[0];
    const auto dx = ctx->saved_data["transposed"].toBool() ? convolve(dy, packed, std::nullopt, geometry)
                                                           : convolve_transposed(dy, packed, std::nullopt, geometry, ctx->saved_data["remainder"].toIntVector());
    return {dx, {}, {}, {}, {}, {}, {}, {}};
  }
};

}  // namespace

bool PackedConv::takes(const at::Tensor& x) const {
  const auto type = x.scalar_type();
  const auto channels = weight_.size(kind_ == Kind::transposed ? 0 : 1);
  if (!x.is_cpu() || type != weight_.scalar_type() || x.dim() != 4 || x.size(0) == 0 || x.size(1) != channels || weight_.numel() < kFewestWeights || x.size(2) * x.size(3) > kMostPositions) return false;
  return (type == at::kFloat || (type == at::kBFloat16 && cpu_has_bf16())) && operations();
}

at::Tensor PackedConv::operator()(const at::Tensor& given) {
  const Geometry geometry{stride_, padding_};
  const bool transposed = kind_ == Kind::transposed;
  const NamedOperation named(transposed ? "sparring::conv_transpose2d" : "sparring::conv2d", {given, weight_, bias_});
  const auto x = given.contiguous(at::MemoryFormat::ChannelsLast);
  const auto bias = bias_.defined() ? std::optional(bias_) : std::nullopt;
  const auto remainder = transposed ? std::vector<int64_t>{0, 0} : remainder_of(x.sizes(), weight_.size(2), geometry);
  const auto packed = [&](bool transposed_one, Ints size) {
    const torch::NoGradGuard no_grad;
    return transposed_one ? pack_transposed(weight_, geometry, remainder, size) : pack(weight_, geometry, size);
  };
  if (!forward_.defined()) forward_ = packed(transposed, x.sizes());
  if (!at::GradMode::is_enabled() || !x.requires_grad()) return transposed ? convolve_transposed(x, forward_, bias, geometry, remainder) : convolve(x, forward_, bias, geometry);
  if (!backward_.defined()) {
    const auto side = [&](int64_t length) { return transposed ? (length - 1) * stride_ - 2 * padding_ + weight_.size(2) : (length + 2 * padding_ - weight_.size(2)) / stride_ + 1; };
    backward_ = packed(!transposed, {x.size(0), transposed ? weight_.size(1) : weight_.size(0), side(x.size(2)), side(x.size(3))});
  }
  return PackedConvFunction::apply(x, forward_, backward_, bias, stride_, padding_, remainder, transposed);
}

}  // namespace sparring
