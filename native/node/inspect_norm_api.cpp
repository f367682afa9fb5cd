// Fused operations beside the plain ones, for tests: everything is drawn, computed and compared on the device, because a
// plane of a decoder is too large to send around.
#include <algorithm>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include "node/comparisons.h"
#include "node/fields.h"
#include "ops/batch_norm.h"
#include "ops/group_norm_silu.h"

namespace sparring::node {
namespace {

struct NormInputs {
  at::Tensor x, weight, bias, direction;  // direction: of the gradient, as y
};

// y, dx and, where they are asked for, dweight and dbias.
using NormResults = std::vector<at::Tensor>;

template <class Norm>
NormResults differentiate(const NormInputs& given, bool weight_gradients, const Norm& norm) {
  const auto x = given.x.detach().requires_grad_(true);
  const auto weight = given.weight.detach().requires_grad_(weight_gradients), bias = given.bias.detach().requires_grad_(weight_gradients);
  const auto y = norm(x, weight, bias);
  std::vector<at::Tensor> inputs{x};
  if (weight_gradients) inputs.insert(inputs.end(), {weight, bias});
  auto results = torch::autograd::grad({y}, inputs, {given.direction});
  results.insert(results.begin(), y.detach());
  return results;
}

bool equal(const NormResults& a, const NormResults& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const at::Tensor& x, const at::Tensor& y) { return at::equal(x, y); });
}

// Of a training step from given weights: y, dx, dweight, dbias, and running mean, running variance and number of batches afterwards.
template <class Norm>
NormResults train_batch_norm(const NormInputs& given, const Norm& apply) {
  torch::nn::BatchNorm2d norm(given.weight.size(0));
  norm->to(given.weight.scalar_type());
  auto results = differentiate(given, /*weight_gradients=*/true, [&](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    norm->weight = weight, norm->bias = bias;
    return apply(*norm, x);
  });
  results.insert(results.end(), {norm->running_mean, norm->running_var, norm->num_batches_tracked.to(at::kDouble)});
  return results;
}

}  // namespace

void register_norm_inspection(Api& api) {
  // batchNormErrors({shape [4], relu, precision, channelsLast, mean, threads, seed}) -> as groupNormErrors, on the CPU with fp32 weights; errors of y, dx,
  // dweight, dbias, running mean, running variance and number of batches; repeated: with the given number of threads
  api.add_async("batchNormErrors", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [shape = integers(options, "shape"), relu = boolean(options, "relu"), dtype = precision(options), layout = boolean(options, "channelsLast") ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous, mean = number(options, "mean"),
            threads = integer(options, "threads"), seed = static_cast<uint64_t>(integer(options, "seed"))](const JobContext&) -> Finish {
      const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
      const auto draw = [&](at::IntArrayRef sizes) { return at::randn(sizes, generator, at::TensorOptions(at::kFloat)); };
      const auto laid_out = [&](const at::Tensor& tensor) { return tensor.to(dtype).contiguous(layout); };
      const NormInputs given{laid_out(draw(shape) + mean), draw({shape[1]}) + 1, draw({shape[1]}), laid_out(draw(shape))};
      bool fuses = false;
      const auto at_once = [&](torch::nn::BatchNorm2dImpl& norm, const at::Tensor& x) {
        fuses = batch_norm_is_fused(norm, x);
        return batch_norm(norm, x, relu);
      };
      const auto plainly = [&](torch::nn::BatchNorm2dImpl& norm, const at::Tensor& x) {
        const auto y = norm.forward(x);
        return relu ? at::relu(y) : y;
      };
      const auto fused = train_batch_norm(given, at_once);
      const bool kernel = fuses;
      const auto again = [&] {
        const ThreadsGuard guard(static_cast<int>(threads));
        return train_batch_norm(given, at_once);
      }();
      const auto plain = train_batch_norm(given, plainly);
      const auto in_fp64 = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
      const auto exact = train_batch_norm({in_fp64(given.x), in_fp64(given.weight), in_fp64(given.bias), in_fp64(given.direction)}, plainly);
      return finish_fields({{"fused", relative_errors(fused, exact)}, {"plain", relative_errors(plain, exact)}, {"repeated", at::tensor(equal(fused, again) ? 1.0f : 0.0f).view({1})},
                            {"kernel", at::tensor(kernel ? 1.0f : 0.0f).view({1})}});
    };
  });

  // groupNormErrors({device, shape [4], groups, silu, precision, weights: precision of weight and bias, strided: they are every second
  // number of a longer tensor, mean, weightGradients, seed}) -> {fused, plain: errors of y, dx, dweight,
  // dbias against fp64; repeated: 1 if a second run of the fused one gives the same bits; kernel: 1 if
  // the fused kernel ran}
  api.add_async("groupNormErrors", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [where = device(options), shape = integers(options, "shape"), groups = integer(options, "groups"), silu = boolean(options, "silu"), dtype = precision(options), weight_dtype = precision(options, "weights"), strided = boolean(options, "strided"),
            mean = number(options, "mean"), weight_gradients = boolean(options, "weightGradients"), seed = static_cast<uint64_t>(integer(options, "seed"))](const JobContext&) -> Finish {
      const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
      const auto draw = [&](at::IntArrayRef sizes) { return at::randn(sizes, generator, at::TensorOptions(at::kFloat)).to(where); };
      const auto channels_last = [&](const at::Tensor& tensor) { return tensor.to(dtype).contiguous(at::MemoryFormat::ChannelsLast); };
      const auto parameter = [&](double centre) {
        const auto values = (draw({shape[1]}) + centre).to(weight_dtype);
        return strided ? at::stack({values, values}, 1).select(1, 0) : values;
      };
      const auto x = channels_last(draw(shape) + mean), weight = parameter(1), bias = parameter(0);
      const NormInputs given{x, weight, bias, channels_last(draw(shape))};
      const auto eps = 1e-5;
      const auto plainly = [&](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
        const auto y = at::group_norm(x, groups, weight.to(x.scalar_type()), bias.to(x.scalar_type()), eps);
        return silu ? at::silu(y) : y;
      };
      const auto at_once = [&](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) { return group_norm_silu(x, groups, weight, bias, eps, silu); };
      const auto fused = differentiate(given, weight_gradients, at_once), again = differentiate(given, weight_gradients, at_once);
      const auto plain = differentiate(given, weight_gradients, plainly);
      const auto in_fp64 = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
      const auto exact = differentiate({in_fp64(given.x), in_fp64(given.weight), in_fp64(given.bias), in_fp64(given.direction)}, weight_gradients, plainly);
      return finish_fields({{"fused", relative_errors(fused, exact)}, {"plain", relative_errors(plain, exact)}, {"repeated", at::tensor(equal(fused, again) ? 1.0f : 0.0f).view({1})},
                            {"kernel", at::tensor(group_norm_silu_is_fused(given.x, given.weight, given.bias) ? 1.0f : 0.0f).view({1})}});
    };
  });
}

}  // namespace sparring::node
