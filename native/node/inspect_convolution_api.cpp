// Operations by themselves, beside plain ones in fp64, for the tests.
#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include "guidance/cutouts.h"
#include "models/depthwise_conv.h"
#include "models/freezable_conv.h"
#include "node/comparisons.h"
#include "node/differentiate.h"
#include "node/fields.h"
#include "ops/autocast.h"
#include "ops/cpu/winograd_kernel.h"
#include "ops/frozen_conv.h"
#include "ops/packed_conv.h"
#include "ops/trained_conv.h"

namespace sparring::node {

void register_convolution_inspection(Api& api) {
  // cutouts({shape: [B, C, H, W], x, count, leastSide, seeds, step}) -> {parts [count * B, C, H, W]}, without noise
  api.add_async("cutouts", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto x = floats(options.Get("x"), integers(options, "shape"));
    const CutoutOptions cut{integer(options, "count"), number(options, "leastSide"), 0};
    return [x, cut, seeds = integers(options, "seeds"), step = static_cast<uint64_t>(integer(options, "step"))](const JobContext&) -> Finish {
      return finish_fields({{"parts", cutouts(x, cut, seeds, step).contiguous()}});
    };
  });

  // frozenConvolution({shape: [B, I, H, W], outputs, upsamples, x, weight [O, I, 3, 3], bias [O] or null, direction [B, O, H', W'], precision}) ->
  // {available, taken, output, gradient, unrecorded, plainOutput, plainGradient, exactOutput, exactGradient}: as a frozen network computes it, the
  // output without recording as well; by ATen; by ATen in fp64 on the same rounded numbers. available: whether there is a kernel here;
  // taken: whether it is used for these shapes
  api.add_async("frozenConvolution", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto shape = sizes_of_x(options);
    const auto outputs = integer(options, "outputs");
    const auto upsamples = boolean(options, "upsamples");
    const auto factor = upsamples ? 2 : 1;
    const auto dtype = precision(options);
    const auto take = [&](const char* key, at::IntArrayRef sizes) { return floats(options.Get(key), sizes).to(dtype); };
    const auto x = take("x", shape).contiguous(at::MemoryFormat::ChannelsLast), weight = take("weight", {outputs, shape[1], 3, 3});
    const auto bias = options.Get("bias").IsNull() ? at::Tensor() : take("bias", {outputs});
    return [x, weight, bias, upsamples, direction = take("direction", {shape[0], outputs, factor * shape[2], factor * shape[3]})](const JobContext&) -> Finish {
      FrozenConv frozen(weight, bias, upsamples);
      const auto plain_in = [&](at::ScalarType type) {
        return [&, type](const at::Tensor& input) {
          const auto image = upsamples ? at::upsample_nearest2d(input, {2 * input.size(2), 2 * input.size(3)}) : input;
          return at::conv2d(image, weight.to(type), bias.defined() ? bias.to(type) : bias, 1, 1);
        };
      };
      const auto in_network = [&](const at::Tensor& input) { return frozen.takes(input) ? frozen(input) : plain_in(x.scalar_type())(input); };
      const auto own = differentiate(in_network, x, direction);
      const auto plain = differentiate(plain_in(x.scalar_type()), x, direction);
      const auto exact = differentiate(plain_in(at::kDouble), x.to(at::kDouble), direction);
      const torch::NoGradGuard no_grad;
      return finish_fields({{"available", flag(cpu::has_winograd())}, {"taken", flag(frozen.takes(x))}, {"output", own.output}, {"gradient", own.gradient},
                            {"unrecorded", in_network(x).to(at::kFloat).contiguous()}, {"plainOutput", plain.output}, {"plainGradient", plain.gradient},
                            {"exactOutput", exact.output}, {"exactGradient", exact.gradient}});
    };
  });

  // winogradErrors({shape: [B, I, H, W], outputs, tile, seed}) -> {available, errors}: of the kernels by themselves in fp32, with tiles of 4 or 8, against ATen in fp64:
  // of the convolution; of it after doubling and before halving the image; of the gradient of its weight. H and W even, or the middle two are not among them.
  api.add_async("winogradErrors", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [shape = sizes_of_x(options), outputs = integer(options, "outputs"), tile = integer(options, "tile"),
            seed = static_cast<uint64_t>(integer(options, "seed"))](const JobContext&) -> Finish {
      if (!cpu::has_winograd()) return finish_fields({{"available", flag(false)}, {"errors", at::zeros({0})}});
      auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
      const auto draw = [&](at::IntArrayRef sizes) { return (at::randn(sizes, generator, at::TensorOptions(at::kFloat)) + 0.3).contiguous(at::MemoryFormat::ChannelsLast); };
      const auto x = draw(shape), weight = draw({outputs, shape[1], 3, 3}), direction = draw({shape[0], outputs, shape[2], shape[3]});
      const torch::NoGradGuard no_grad;
      const auto convolved = [&](const at::Tensor& image) { return at::conv2d(image.to(at::kDouble), weight.to(at::kDouble), {}, 1, 1); };
      const auto own = [&](const at::Tensor& image, cpu::Scale scale) { return cpu::winograd_conv(image, cpu::winograd_weight(weight, scale, tile), outputs, {}, scale); };
      std::vector<at::Tensor> found{own(x, cpu::Scale::same)}, exact{convolved(x)};
      if (shape[2] % 2 == 0 && shape[3] % 2 == 0) {
        const auto smaller = draw({shape[0], shape[1], shape[2] / 2, shape[3] / 2});
        found.push_back(own(smaller, cpu::Scale::doubled));
        exact.push_back(convolved(at::upsample_nearest2d(smaller, {shape[2], shape[3]})));
        found.push_back(own(x, cpu::Scale::halved));
        exact.push_back(at::avg_pool2d(exact[0], 2) * 4);
      }
      found.push_back(cpu::winograd_weight_gradient(x, direction, tile));
      exact.push_back(std::get<1>(at::convolution_backward(direction.to(at::kDouble), x.to(at::kDouble), weight.to(at::kDouble), std::nullopt, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1, {false, true, false})));
      return finish_fields({{"available", flag(true)}, {"errors", relative_errors(found, exact).to(at::kFloat)}});
    };
  });

  // packedConvolution({shape: [B, I, H, W], outputs, kernel, stride, padding, transposed, bias, precision, seed}) -> {taken, own, plain, unrecorded, resized,
  // alone}. taken: whether it is used for these shapes. own, plain: errors of output and gradient of x against ATen in fp64 on the same rounded
  // numbers, as a frozen network computes them and by ATen. Of own, the errors of: the output without recording; both on weights that were packed for
  // twice the size; the first image by itself.
  api.add_async("packedConvolution", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto kernel = integer(options, "kernel"), stride = integer(options, "stride"), padding = integer(options, "padding"), outputs = integer(options, "outputs");
    return [shape = sizes_of_x(options), kernel, stride, padding, outputs, transposed = boolean(options, "transposed"), has_bias = boolean(options, "bias"), dtype = precision(options),
            seed = static_cast<uint64_t>(integer(options, "seed"))](const JobContext&) -> Finish {
      auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
      const auto draw = [&](at::IntArrayRef sizes) { return (at::randn(sizes, generator, at::TensorOptions(at::kFloat)) + 0.3).to(dtype).contiguous(at::MemoryFormat::ChannelsLast); };
      const auto x = draw(shape), weight = transposed ? draw({shape[1], outputs, kernel, kernel}) : draw({outputs, shape[1], kernel, kernel});
      const auto bias = has_bias ? draw({outputs, 1, 1, 1}).flatten() : at::Tensor();
      const auto plain_in = [&](at::ScalarType type) {
        return [&, type](const at::Tensor& input) {
          const auto own_bias = bias.defined() ? bias.to(type) : bias;
          return transposed ? at::conv_transpose2d(input, weight.to(type), own_bias, stride, padding) : at::conv2d(input, weight.to(type), own_bias, stride, padding);
        };
      };
      const auto direction = draw(plain_in(dtype)(x).sizes());
      const auto make = [&] { return PackedConv(weight, bias, stride, padding, transposed ? PackedConv::Kind::transposed : PackedConv::Kind::plain); };
      const auto with = [](PackedConv& packed) { return [&packed](const at::Tensor& input) { return packed(input); }; };
      const auto list = [](const Differentiated& found) { return std::vector<at::Tensor>{found.output, found.gradient}; };
      auto packed = make(), packed_for_larger = make();
      const auto own = list(differentiate(with(packed), x, direction));
      const auto larger = at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
      differentiate(with(packed_for_larger), larger, at::ones_like(plain_in(dtype)(larger)));
      const auto resized = list(differentiate(with(packed_for_larger), x, direction));
      const auto alone = list(differentiate(with(packed), x.narrow(0, 0, 1), direction.narrow(0, 0, 1)));
      const auto plain = list(differentiate(plain_in(dtype), x, direction));
      const auto exact = list(differentiate(plain_in(at::kDouble), x.to(at::kDouble), direction));
      const torch::NoGradGuard no_grad;
      const auto errors = [](const std::vector<at::Tensor>& found, const std::vector<at::Tensor>& expected) { return relative_errors(found, expected).to(at::kFloat); };
      return finish_fields({{"taken", flag(packed.takes(x))}, {"own", errors(own, exact)}, {"plain", errors(plain, exact)}, {"unrecorded", errors({packed(x)}, {own[0]})},
                            {"resized", errors(resized, own)}, {"alone", errors(alone, {own[0].narrow(0, 0, 1), own[1].narrow(0, 0, 1)})}});
    };
  });

  // trainedConvolution({shape: [B, I, H, W], outputs, x, weight [O, I, 3, 3], bias [O] or null, direction [B, O, H, W], autocast, threads}) ->
  // {available, taken, own, plain, repeated, shared}. taken: whether the kernel is used for these shapes. own, plain: errors of output and
  // gradients of x, weight and bias against ATen in fp64, as a training step computes them and by ATen; repeated: of a second run with
  // `threads` threads against the first; shared: of twice the convolution, once as a training step and then by ATen, in one forward pass.
  api.add_async("trainedConvolution", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto shape = sizes_of_x(options);
    const auto outputs = integer(options, "outputs");
    const auto autocast = boolean(options, "autocast");
    const auto rounded = [autocast](const at::Tensor& tensor) { return autocast ? tensor.to(at::kBFloat16).to(at::kFloat) : tensor; };
    const auto direction = rounded(floats(options.Get("direction"), {shape[0], outputs, shape[2], shape[3]}));
    std::vector<at::Tensor> inputs{rounded(floats(options.Get("x"), shape)), floats(options.Get("weight"), {outputs, shape[1], 3, 3})};
    if (!options.Get("bias").IsNull()) inputs.push_back(floats(options.Get("bias"), {outputs}));
    for (size_t i = 0; i < 2; ++i) inputs[i] = inputs[i].contiguous(at::MemoryFormat::ChannelsLast);
    return [inputs, autocast, direction, threads = static_cast<int>(integer(options, "threads"))](const JobContext&) -> Finish {
      const auto by_aten = [](const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) { return at::conv2d(input, weight, bias, 1, 1); };
      const auto in_network = [](const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
        FreezableConv2d conv(torch::nn::Conv2dOptions(weight.size(1), weight.size(0), 3).padding(1).bias(bias.defined()));
        conv->weight = weight, conv->bias = bias;
        return conv(input);
      };
      const auto is_taken = [&] {
        AutocastGuard guard(at::kCPU, autocast);
        return trained_conv_takes(inputs[0], inputs[1].detach().requires_grad_(true));
      };
      const auto twice = [&](const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
        return in_network(input, weight, bias) + by_aten(input, weight, bias);
      };
      std::vector<at::Tensor> precise;
      for (const auto& input : inputs) precise.push_back(input.to(at::kDouble));
      const auto exact = differentiate_all(by_aten, precise, direction, false);
      const auto own = differentiate_all(in_network, inputs, direction, autocast);
      const auto plain = differentiate_all(by_aten, inputs, direction, autocast);
      auto shared = differentiate_all(twice, inputs, direction, autocast);
      for (auto& result : shared) result = result / 2;
      const ThreadsGuard more_threads(threads);
      const auto again = differentiate_all(in_network, inputs, direction, autocast);
      return finish_fields({{"available", flag(cpu::has_winograd())}, {"taken", flag(is_taken())}, {"own", relative_errors(own, exact).to(at::kFloat)},
                            {"plain", relative_errors(plain, exact).to(at::kFloat)}, {"repeated", relative_errors(again, own).to(at::kFloat)},
                            {"shared", relative_errors(shared, exact).to(at::kFloat)}});
    };
  });

  // depthwiseConvolution({shape: [B, C, H, W], kernel, stride, x, weight [C, 1, k, k], direction [B, C, H / stride, W / stride]}) -> {own, plain}: errors, under
  // autocast, of output and gradients of x and weight against ATen in fp64, as a network computes them and by ATen
  api.add_async("depthwiseConvolution", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto shape = sizes_of_x(options);
    const auto kernel = integer(options, "kernel"), stride = integer(options, "stride");
    const auto rounded = [&](const char* key, at::IntArrayRef sizes) { return floats(options.Get(key), sizes).to(at::kBFloat16).to(at::kFloat); };
    const auto side = [stride](int64_t length) { return (length - 1) / stride + 1; };
    const std::vector<at::Tensor> inputs{rounded("x", shape).contiguous(at::MemoryFormat::ChannelsLast), rounded("weight", {shape[1], 1, kernel, kernel})};
    return [inputs, kernel, stride, direction = rounded("direction", {shape[0], shape[1], side(shape[2]), side(shape[3])})](const JobContext&) -> Finish {
      const auto channels = inputs[0].size(1);
      const auto by_aten = [&](const at::Tensor& x, const at::Tensor& weight, const at::Tensor&) { return at::conv2d(x, weight, {}, stride, kernel / 2, 1, channels); };
      const auto in_network = [&](const at::Tensor& x, const at::Tensor& weight, const at::Tensor&) {
        DepthwiseConv2d conv(torch::nn::Conv2dOptions(channels, channels, kernel).stride(stride).padding(kernel / 2).groups(channels).bias(false));
        conv->weight = weight;
        return conv(x);
      };
      const auto exact = differentiate_all(by_aten, {inputs[0].to(at::kDouble), inputs[1].to(at::kDouble)}, direction, false);
      const auto errors_of = [&](const auto& operation) { return relative_errors(differentiate_all(operation, inputs, direction, true), exact).to(at::kFloat); };
      return finish_fields({{"own", errors_of(in_network)}, {"plain", errors_of(by_aten)}});
    };
  });
}

}  // namespace sparring::node
