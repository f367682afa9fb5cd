#include "models/cnn.h"

#include "models/following_norm.h"
#include "models/freezable_conv.h"

namespace sparring {

CnnImpl::CnnImpl(const CnnOptions& options) : options(options) {
  using namespace torch::nn;
  features = register_module("features", Sequential());
  int64_t in = 3;
  for (int64_t stage = 0; stage < options.stages(); ++stage) {
    const auto out = options.width() << stage;
    const FreezableConv2d convolution(Conv2dOptions(in, out, 3).stride(stage == 0 ? 1 : 2).padding(1).bias(false));
    features->push_back(convolution);
    features->push_back(FollowingNorm(convolution));
    features->push_back(ReLU(ReLUOptions(true)));
    in = out;
  }
  fc = register_module("fc", Linear(in, options.num_classes()));
}

namespace {

// The activation is applied with the norm before it; as a module it is there for the keys of the weights, which count it.
at::Tensor run_layer(torch::nn::AnyModule& layer, const at::Tensor& x) {
  if (auto* norm = layer.ptr()->as<FollowingNorm>()) return norm->then_relu(x);
  return layer.ptr()->as<torch::nn::ReLU>() ? x : layer.forward(x);
}

}  // namespace

std::vector<at::Tensor> CnnImpl::feature_maps(at::Tensor x) {
  std::vector<at::Tensor> maps;
  for (auto& layer : *features) {
    x = run_layer(layer, x);
    if (layer.ptr()->as<torch::nn::ReLU>()) maps.push_back(x);
  }
  return maps;
}

at::Tensor CnnImpl::forward(at::Tensor x) {
  for (auto& layer : *features) x = run_layer(layer, x);  // [B, C, H / 2^(stages-1), W / 2^(stages-1)]
  return fc(x.mean(at::IntArrayRef{2, 3}));           // [B, num_classes]
}

}  // namespace sparring
