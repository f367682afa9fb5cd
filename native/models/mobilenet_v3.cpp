#include "models/mobilenet_v3.h"

#include <string>

#include "models/inverted_residual.h"
#include "models/nested.h"

namespace sparring {
namespace {

// repeats, kernel, stride, expansion, channels, activation, squeeze
const std::vector<std::vector<BlockRow>> kLarge = {
    {{1, 3, 1, 1, 16, at::relu, false}},
    {{1, 3, 2, 4, 24, at::relu, false}, {1, 3, 1, 3, 24, at::relu, false}},
    {{3, 5, 2, 3, 40, at::relu, true}},
    {{1, 3, 2, 6, 80, at::hardswish, false},
     {1, 3, 1, 2.5, 80, at::hardswish, false},
     {2, 3, 1, 2.3, 80, at::hardswish, false}},
    {{2, 3, 1, 6, 112, at::hardswish, true}},
    {{3, 5, 2, 6, 160, at::hardswish, true}},
};

const std::vector<std::vector<BlockRow>> kSmall = {
    {{1, 3, 2, 1, 16, at::relu, true}},
    {{1, 3, 2, 4.5, 24, at::relu, false}, {1, 3, 1, 3.67, 24, at::relu, false}},
    {{1, 5, 2, 4, 40, at::hardswish, true}, {2, 5, 1, 6, 40, at::hardswish, true}},
    {{2, 5, 1, 3, 48, at::hardswish, true}},
    {{3, 5, 2, 6, 96, at::hardswish, true}},
};

const SqueezeStyle kSqueeze = {
    .squeezed = [](int64_t /*in*/, int64_t expanded) { return round_channels(expanded * 0.25); },
    .activation = at::relu,
    .gate = at::hardsigmoid,
};

}  // namespace

MobileNetV3Impl::MobileNetV3Impl(const MobileNetV3Options& options) : options(options) {
  const auto width = options.width();
  int64_t channels = width < 0.75 ? 16 : round_channels(16 * width);
  conv_stem = register_module("conv_stem", same_convolution(3, channels, 3, 2));
  bn_stem = register_module("bn1", FollowingNorm(conv_stem));
  stages = make_stages(options.small() ? kSmall : kLarge, width, kSqueeze, channels);
  for (size_t i = 0; i < stages.size(); ++i) register_nested(*this, {"blocks", std::to_string(i)}, stages[i]);

  // The last stage is a single 1x1 convolution.
  const auto last = std::to_string(stages.size());
  const auto features = round_channels((options.small() ? 576 : 960) * width);
  conv_last = register_nested(*this, {"blocks", last, "0", "conv"}, same_convolution(channels, features, 1, 1));
  bn_last = register_nested(*this, {"blocks", last, "0", "bn1"}, FollowingNorm(conv_last));

  const int64_t hidden = options.small() ? 1024 : 1280;
  conv_head = register_module("conv_head", torch::nn::Conv2d(torch::nn::Conv2dOptions(features, hidden, 1)));
  classifier = register_module("classifier", torch::nn::Linear(hidden, options.num_classes()));
  init_by_fan_out(*this);
}

at::Tensor MobileNetV3Impl::forward(at::Tensor x) {
  x = at::hardswish(bn_stem(conv_stem(x)));             // [B, 16 width, H/2, W/2]
  for (auto& stage : stages) x = stage->forward(x);     // [B, C, H/32, W/32]
  x = at::hardswish(bn_last(conv_last(x)));             // [B, features, H/32, W/32]
  x = x.mean(at::IntArrayRef{2, 3}, /*keepdim=*/true);  // [B, features, 1, 1]
  return classifier(at::hardswish(conv_head(x)).flatten(1));
}

}  // namespace sparring
