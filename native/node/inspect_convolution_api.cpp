// Operations by themselves, beside plain ones in fp64, for the tests.
#include <torch/torch.h>

#include "guidance/cutouts.h"
#include "node/fields.h"
#include "ops/cpu/winograd_kernel.h"
#include "ops/frozen_conv.h"

namespace sparring::node {
namespace {

// An output, and the gradient of its product with a direction; both fp32.
struct Differentiated {
  at::Tensor output, gradient;
};

template <class Operation>
Differentiated differentiate(const Operation& operation, const at::Tensor& x, const at::Tensor& direction) {
  const auto input = x.clone().requires_grad_(true);
  const auto output = operation(input);
  const auto gradient = torch::autograd::grad({output}, {input}, {direction.to(output.scalar_type())})[0];
  return {output.detach().to(at::kFloat).contiguous(), gradient.to(at::kFloat).contiguous()};
}

}  // namespace

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
    const auto shape = integers(options, "shape");
    if (shape.size() != 4) throw Error("usage", "shape: expected the four sizes of x.");
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
      const auto flag = [](bool value) { return at::full({1}, value ? 1.0 : 0.0); };
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
}

}  // namespace sparring::node
