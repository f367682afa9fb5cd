#include "ops/batch_norm.h"

#include "ops/cpu/batch_norm_kernel.h"

namespace sparring {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

class FusedBatchNorm : public torch::autograd::Function<FusedBatchNorm> {
 public:
  // y, and the statistics of the batch
  static tensor_list forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps, bool relu) {
    const at::AutoDispatchBelowAutograd no_autograd;
    auto [y, mean, variance] = cpu::batch_norm(x, weight, bias, eps, relu);
    ctx->save_for_backward({x, weight, bias, mean, variance});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["relu"] = relu;
    ctx->mark_non_differentiable({mean, variance});
    return {y, mean, variance};
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "batch_norm has no second derivative");
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3], &variance = saved[4];
    const auto dy = gradients[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const at::AutoDispatchBelowAutograd no_autograd;
    auto [dx, dweight, dbias] = cpu::batch_norm_backward(dy, x, mean, variance, weight, bias, ctx->saved_data["eps"].toDouble(), ctx->saved_data["relu"].toBool());
    return {dx, dweight, dbias, {}, {}};
  }
};

void move_running_statistics(torch::nn::BatchNorm2dImpl& norm, const at::Tensor& mean, const at::Tensor& variance, int64_t positions) {
  const torch::NoGradGuard no_grad;
  const auto momentum = *norm.options.momentum();
  norm.num_batches_tracked += 1;
  norm.running_mean.lerp_(mean, momentum);
  norm.running_var.lerp_(variance * (static_cast<double>(positions) / static_cast<double>(positions - 1)), momentum);
}

}  // namespace

bool batch_norm_is_fused(const torch::nn::BatchNorm2dImpl& norm, const at::Tensor& x) {
  const auto fits = [](const at::Tensor& tensor) { return tensor.defined() && tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous(); };
  return norm.is_training() && norm.options.momentum() && fits(norm.weight) && fits(norm.bias) && fits(norm.running_mean) && fits(norm.running_var) && x.is_cpu() && x.dim() == 4 &&
         x.size(1) == norm.weight.size(0) && x.numel() > x.size(1) && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor batch_norm(torch::nn::BatchNorm2dImpl& norm, const at::Tensor& x, bool relu) {
  if (!batch_norm_is_fused(norm, x)) {
    auto y = norm.forward(x);
    return relu ? y.relu_() : y;  // no gradient of the norm reads y
  }
  const auto results = FusedBatchNorm::apply(x, norm.weight, norm.bias, norm.options.eps(), relu);
  move_running_statistics(norm, results[1], results[2], x.numel() / x.size(1));
  return results[0];
}

}  // namespace sparring
