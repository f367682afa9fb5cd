#include "ops/group_norm_silu.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace sparring {

// The kernels: ops/cpu here, ops/cuda in a library of its own, which may be missing.
TORCH_LIBRARY(sparring, library) {
  // x [B, C, H, W] channels-last, not empty; weight, bias [C] -> y like x; mean, rstd [B, groups] fp32
  library.def("group_norm_silu(Tensor x, int groups, Tensor weight, Tensor bias, float eps, bool silu) -> (Tensor y, Tensor mean, Tensor rstd)");
  // dy like x -> dx like x; dweight, dbias [C] fp32, undefined unless asked for
  library.def(
      "group_norm_silu_backward(Tensor dy, Tensor x, Tensor mean, Tensor rstd, Tensor weight, Tensor bias, bool silu, bool weight_gradients) -> "
      "(Tensor dx, Tensor dweight, Tensor dbias)");
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

using Tensors = std::tuple<at::Tensor, at::Tensor, at::Tensor>;
using Forward = Tensors(const at::Tensor&, int64_t, const at::Tensor&, const at::Tensor&, double, bool);
using Backward = Tensors(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, bool, bool);

const auto& forward_kernel() {
  static const auto kernel = c10::Dispatcher::singleton().findSchemaOrThrow("sparring::group_norm_silu", "").typed<Forward>();
  return kernel;
}

const auto& backward_kernel() {
  static const auto kernel = c10::Dispatcher::singleton().findSchemaOrThrow("sparring::group_norm_silu_backward", "").typed<Backward>();
  return kernel;
}

bool is_fp32_or_bf16(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16;
}

bool has_kernel(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return (x.is_cpu() || (x.is_cuda() && forward_kernel().hasKernelForDispatchKey(c10::DispatchKey::CUDA))) && x.numel() > 0 && is_fp32_or_bf16(x) &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast) && is_fp32_or_bf16(weight) && is_fp32_or_bf16(bias);
}

class GroupNormSilu : public torch::autograd::Function<GroupNormSilu> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            int64_t groups, double eps, bool silu) {
    const at::AutoDispatchBelowAutograd no_autograd;
    auto [y, mean, rstd] = forward_kernel().call(x, groups, weight, bias, eps, silu);
    ctx->save_for_backward({x, weight, bias, mean, rstd});
    ctx->saved_data["silu"] = silu;
    return y;
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "group_norm_silu has no second derivative");
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3], &rstd = saved[4];
    const auto dy = gradients[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const bool weight_gradients = ctx->needs_input_grad(1) || ctx->needs_input_grad(2);
    const at::AutoDispatchBelowAutograd no_autograd;
    auto [dx, dweight, dbias] = backward_kernel().call(dy, x, mean, rstd, weight, bias, ctx->saved_data["silu"].toBool(), weight_gradients);
    if (weight_gradients) {
      dweight = dweight.to(weight.scalar_type());
      dbias = dbias.to(bias.scalar_type());
    }
    return {dx, dweight, dbias, {}, {}, {}};
  }
};

}  // namespace

bool group_norm_silu_is_fused(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) { return has_kernel(x, weight, bias); }

at::Tensor group_norm_silu(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                           double eps, bool silu) {
  TORCH_CHECK(x.dim() == 4 && groups > 0 && x.size(1) % groups == 0 && weight.numel() == x.size(1) &&
                  bias.numel() == x.size(1),
              "group_norm_silu: expected x [B, C, H, W], C a multiple of groups, weight and bias [C]; found x ",
              x.sizes(), ", groups ", groups, ", weight ", weight.sizes(), ", bias ", bias.sizes());
  TORCH_CHECK(weight.device() == x.device() && bias.device() == x.device(), "group_norm_silu: expected weight and bias on ", x.device(),
              ", where x is; found them on ", weight.device(), " and ", bias.device());
  if (has_kernel(x, weight, bias)) return GroupNormSilu::apply(x, weight, bias, groups, eps, silu);
  const auto type = x.scalar_type();
  const auto y = at::group_norm(x, groups, weight.to(type), bias.to(type), eps);
  return silu ? at::silu(y) : y;
}

}  // namespace sparring
