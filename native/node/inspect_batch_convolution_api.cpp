// Convolutions with the images of a batch as rows, beside ATen's, for the tests.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <torch/torch.h>

#include "models/freezable_conv.h"
#include "node/comparisons.h"
#include "node/differentiate.h"
#include "node/fields.h"
#include "ops/autocast.h"
#include "ops/batch_conv.h"

namespace sparring::node {
namespace {

// While it lives, memory that nothing was written to is full of NaN.
class PoisonedMemory {
 public:
  PoisonedMemory() : before_(at::globalContext().deterministicFillUninitializedMemory()) {
    at::globalContext().setDeterministicFillUninitializedMemory(true);  // acts with deterministic algorithms, which the core asks for
    TORCH_CHECK(at::empty({1}).isnan().item<bool>(), "memory is not poisoned");
  }
  ~PoisonedMemory() { at::globalContext().setDeterministicFillUninitializedMemory(before_); }
  PoisonedMemory(const PoisonedMemory&) = delete;
  PoisonedMemory& operator=(const PoisonedMemory&) = delete;

 private:
  bool before_;
};

struct Drawn {
  Window window;
  at::Tensor x, weight, bias, direction;  // fp32 in channels-last, x and direction of numbers that bf16 has; bias may be undefined

  std::vector<at::Tensor> inputs(const at::Tensor& own_weight) const {
    std::vector<at::Tensor> all{x, own_weight};
    if (bias.defined()) all.push_back(bias);
    return all;
  }

  at::Tensor by_aten(const at::Tensor& input, const at::Tensor& own_weight, const at::Tensor& own_bias) const {
    return at::conv2d(input, own_weight, own_bias, window.stride, window.padding);
  }

  FreezableConv2d module(const at::Tensor& own_weight, const at::Tensor& own_bias) const {
    FreezableConv2d conv(torch::nn::Conv2dOptions(weight.size(1), weight.size(0), window.kernel).stride(window.stride).padding(window.padding).bias(bias.defined()));
    conv->weight = own_weight, conv->bias = own_bias;
    return conv;
  }
};

at::Tensor bf16(const at::Tensor& tensor) { return tensor.to(at::kBFloat16); }
at::Tensor errors(const std::vector<at::Tensor>& found, const std::vector<at::Tensor>& expected) { return relative_errors(found, expected).to(at::kFloat); }
std::vector<at::Tensor> list(const Differentiated& found) { return {found.output, found.gradient}; }

Drawn draw(const Window& window, at::IntArrayRef shape, int64_t outputs, bool has_bias, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto numbers = [&](at::IntArrayRef sizes) { return (at::randn(sizes, generator, at::TensorOptions(at::kFloat)) + 0.3).contiguous(at::MemoryFormat::ChannelsLast); };
  const auto exact_in_bf16 = [&](at::IntArrayRef sizes) { return bf16(numbers(sizes)).to(at::kFloat); };
  Drawn drawn{window, exact_in_bf16(shape), numbers({outputs, shape[1], window.kernel, window.kernel}), has_bias ? numbers({outputs, 1, 1, 1}).flatten() : at::Tensor(), {}};
  drawn.direction = exact_in_bf16(drawn.by_aten(drawn.x, drawn.weight, {}).sizes());
  return drawn;
}

// The convolution and the gradients of x and of the weight by the kernels themselves.
std::vector<at::Tensor> with_kernels(const Drawn& drawn) {
  const torch::NoGradGuard no_grad;
  const PoisonedMemory poisoned;
  const auto x = bf16(drawn.x), dy = bf16(drawn.direction);
  return {cpu::batch_conv(x, cpu::batch_conv_weight(drawn.weight), drawn.weight.size(0), drawn.bias, drawn.window),
          cpu::batch_conv_input_gradient(dy, cpu::batch_conv_transposed_weight(drawn.weight), x.sizes(), drawn.window), cpu::batch_conv_weight_gradient(x, dy, drawn.window)};
}

}  // namespace

void register_batch_convolution_inspection(Api& api) {
  // batchConvolution({shape: [B, I, H, W], outputs, kernel, stride, padding, bias, seed, threads}) -> {available, kernels, rounded, repeated, trained, own, plain, shared,
  // weightAlone, frozen, ownFrozen, alone}. available: whether there are kernels for these channels. kernels: errors of the convolution and of the gradients of x and of the weight
  // against ATen in fp64 on the same rounded numbers; rounded: of the first two of fp64 once they are rounded to bf16; repeated: of the kernels with `threads` threads
  // against them. trained: whether a training step uses any of them for these shapes; own, plain: errors of output and gradients of x, weight and bias under autocast, as a network
  // computes them and by ATen; shared: of twice the convolution, once in each way, in one forward pass; weightAlone: of the gradient of the weight where x has none against
  // it. frozen: whether a frozen network uses them; ownFrozen: the errors of its output and gradient of x; alone: of those of the first image by itself against them.
  api.add_async("batchConvolution", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const Window window{integer(options, "kernel"), integer(options, "stride"), integer(options, "padding")};
    return [shape = sizes_of_x(options), outputs = integer(options, "outputs"), window, has_bias = boolean(options, "bias"), seed = static_cast<uint64_t>(integer(options, "seed")),
            threads = static_cast<int>(integer(options, "threads"))](const JobContext&) -> Finish {
      const auto drawn = draw(window, shape, outputs, has_bias, seed);
      const auto &x = drawn.x, &weight = drawn.weight, &bias = drawn.bias, &direction = drawn.direction;
      const auto by_aten = [&](const at::Tensor& input, const at::Tensor& own_weight, const at::Tensor& own_bias) { return drawn.by_aten(input, own_weight, own_bias); };
      const auto in_network = [&](const at::Tensor& input, const at::Tensor& own_weight, const at::Tensor& own_bias) { return drawn.module(own_weight, own_bias)(input); };
      const auto twice = [&](const at::Tensor& input, const at::Tensor& own_weight, const at::Tensor& own_bias) {
        return in_network(input, own_weight, own_bias) + by_aten(input, own_weight, own_bias);
      };
      const auto in_fp64 = [&](const at::Tensor& own_weight) {
        auto all = drawn.inputs(own_weight);
        for (auto& input : all) input = input.to(at::kDouble);
        return differentiate_all(by_aten, all, direction, false);
      };

      const auto of_rounded = in_fp64(bf16(weight));
      const bool available = cpu::batch_conv_takes(x, at::kBFloat16, shape[1], outputs, window);
      at::Tensor kernels = at::zeros({0}), repeated = kernels;
      if (available) {
        const auto found = with_kernels(drawn);
        kernels = errors(found, of_rounded);
        const ThreadsGuard more_threads(threads);
        repeated = errors(with_kernels(drawn), found);
      }

      const auto exact = in_fp64(weight), own = differentiate_all(in_network, drawn.inputs(weight), direction, true);
      auto shared = differentiate_all(twice, drawn.inputs(weight), direction, true);
      for (auto& result : shared) result = result / 2;
      const auto leaf = weight.detach().clone().requires_grad_(true);
      bool trained;
      at::Tensor output;
      {
        AutocastGuard guard(at::kCPU, true);
        trained = batch_conv_takes(x, leaf, window);
        output = in_network(x, leaf, bias);
      }
      const auto of_weight = torch::autograd::grad({output}, {leaf}, {direction.to(output.scalar_type())});

      auto conv = drawn.module(bf16(weight), bias);
      conv->freeze();
      const auto frozen = [&](const at::Tensor& input) { return conv(input); };
      const auto own_frozen = list(differentiate(frozen, bf16(x), direction)), alone = list(differentiate(frozen, bf16(x).narrow(0, 0, 1), direction.narrow(0, 0, 1)));
      return finish_fields({{"available", flag(available)}, {"kernels", kernels}, {"rounded", errors({bf16(of_rounded[0]), bf16(of_rounded[1])}, of_rounded)}, {"repeated", repeated},
                            {"trained", flag(trained)}, {"own", errors(own, exact)}, {"plain", errors(differentiate_all(by_aten, drawn.inputs(weight), direction, true), exact)},
                            {"shared", errors(shared, exact)}, {"weightAlone", errors({of_weight[0]}, {own[2]})}, {"frozen", flag(FrozenBatchConv(bf16(weight), bias, window).takes(bf16(x)))},
                            {"ownFrozen", errors(own_frozen, of_rounded)}, {"alone", errors(alone, {own_frozen[0].narrow(0, 0, 1), own_frozen[1].narrow(0, 0, 1)})}});
    };
  });
}

}  // namespace sparring::node
