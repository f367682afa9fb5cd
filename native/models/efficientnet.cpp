#include "models/efficientnet.h"

#include <cmath>
#include <string>

#include "models/inverted_residual.h"
#include "models/nested.h"

namespace sparring {
namespace {

// repeats, kernel, stride, expansion, channels, activation, squeeze
const std::vector<std::vector<BlockRow>> kTable = {
    {{1, 3, 1, 1, 16, at::silu, true}},  {{2, 3, 2, 6, 24, at::silu, true}},  {{2, 5, 2, 6, 40, at::silu, true}},
    {{3, 3, 2, 6, 80, at::silu, true}},  {{3, 5, 1, 6, 112, at::silu, true}}, {{4, 5, 2, 6, 192, at::silu, true}},
    {{1, 3, 1, 6, 320, at::silu, true}},
};

const SqueezeStyle kSqueeze = {
    .squeezed = [](int64_t in, int64_t /*expanded*/) { return in / 4; },
    .activation = at::silu,
    .gate = at::sigmoid,
};

}  // namespace

EfficientNetImpl::EfficientNetImpl(const EfficientNetOptions& options) : options(options) {
  auto table = kTable;
  for (auto& rows : table) {
    for (auto& row : rows) row.repeats = static_cast<int64_t>(std::ceil(row.repeats * options.depth()));
  }
  auto channels = round_channels(32 * options.width());
  conv_stem = register_module("conv_stem", same_convolution(3, channels, 3, 2));
  bn1 = register_module("bn1", FollowingNorm(conv_stem));
  stages = make_stages(table, options.width(), kSqueeze, channels);
  for (size_t i = 0; i < stages.size(); ++i) register_nested(*this, {"blocks", std::to_string(i)}, stages[i]);
  const auto features = round_channels(1280 * options.width());
  conv_head = register_module("conv_head", same_convolution(channels, features, 1, 1));
  bn2 = register_module("bn2", FollowingNorm(conv_head));
  classifier = register_module("classifier", torch::nn::Linear(features, options.num_classes()));
  init_by_fan_out(*this);
}

at::Tensor EfficientNetImpl::forward(at::Tensor x) {
  x = at::silu(bn1(conv_stem(x)));                   // [B, 32 width, H/2, W/2]
  for (auto& stage : stages) x = stage->forward(x);  // [B, 320 width, H/32, W/32]
  x = at::silu(bn2(conv_head(x)));                   // [B, 1280 width, H/32, W/32]
  return classifier(x.mean(at::IntArrayRef{2, 3}));
}

}  // namespace sparring
