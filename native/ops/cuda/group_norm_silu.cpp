// The kernels under the names that the core calls (ops/group_norm_silu.cpp), for tensors on a GPU.
#include <tuple>

#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "ops/cuda/group_norm_silu_kernel.h"
#include "ops/cuda/registration.h"

namespace sparring::cuda {
namespace {

bool is_aligned(const at::Tensor& tensor) { return reinterpret_cast<uintptr_t>(tensor.data_ptr()) % 16 == 0; }

Activation activation(const at::Tensor& x, int64_t groups, bool aligned) {
  return {x.size(0), x.size(2) * x.size(3), static_cast<int>(x.size(1)), static_cast<int>(groups), x.scalar_type() == at::kBFloat16, aligned};
}

Parameter parameter(const at::Tensor& tensor) { return {tensor.data_ptr(), tensor.scalar_type() == at::kBFloat16}; }

at::Tensor empty_fp32(const at::Tensor& x, at::IntArrayRef shape) { return at::empty(shape, x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous)); }

float* fp32(const at::Tensor& tensor) { return tensor.data_ptr<float>(); }

std::tuple<at::Tensor, at::Tensor, at::Tensor> forward(const at::Tensor& x, int64_t groups, const at::Tensor& given_weight, const at::Tensor& given_bias, double eps, bool silu) {
  const c10::cuda::CUDAGuard guard(x.device());
  const auto weight = given_weight.contiguous(), bias = given_bias.contiguous();
  const auto y = at::empty_like(x, at::MemoryFormat::ChannelsLast);
  const auto mean = empty_fp32(x, {x.size(0), groups}), rstd = empty_fp32(x, {x.size(0), groups});
  const auto shape = activation(x, groups, is_aligned(x) && is_aligned(y));
  const Plan plan(shape);
  const auto workspace = empty_fp32(x, {plan.workspace(shape)});
  group_norm_silu_forward(shape, plan, x.data_ptr(), parameter(weight), parameter(bias), static_cast<float>(eps), silu, y.data_ptr(), fp32(mean), fp32(rstd), fp32(workspace),
                          c10::cuda::getCurrentCUDAStream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return {y, mean, rstd};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd, const at::Tensor& given_weight,
                                                        const at::Tensor& given_bias, bool silu, bool weight_gradients) {
  const c10::cuda::CUDAGuard guard(x.device());
  const auto weight = given_weight.contiguous(), bias = given_bias.contiguous();
  const auto dx = at::empty_like(x, at::MemoryFormat::ChannelsLast);
  const auto shape = activation(x, mean.size(1), is_aligned(x) && is_aligned(dy) && is_aligned(dx));
  const Plan plan(shape);
  const auto workspace = empty_fp32(x, {plan.workspace(shape)});
  const auto channel_sums = weight_gradients ? empty_fp32(x, {x.size(0), 2, x.size(1)}) : at::Tensor();
  group_norm_silu_backward(shape, plan, dy.data_ptr(), x.data_ptr(), fp32(mean), fp32(rstd), parameter(weight), parameter(bias), silu, dx.data_ptr(),
                           weight_gradients ? fp32(channel_sums) : nullptr, fp32(workspace), c10::cuda::getCurrentCUDAStream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  if (!weight_gradients) return {dx, at::Tensor(), at::Tensor()};
  const auto gradients = channel_sums.sum(0);  // [2, C]
  return {dx, gradients[0], gradients[1]};
}

}  // namespace

void register_group_norm_silu(torch::Library& kernels) {
  kernels.impl("group_norm_silu", forward);
  kernels.impl("group_norm_silu_backward", backward);
}

}  // namespace sparring::cuda
