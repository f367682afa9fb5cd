#include "models/convnext.h"

#include <string>

#include "models/depthwise_conv.h"
#include "models/nested.h"
#include "ops/linear.h"

namespace sparring {
namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::LayerNorm;
using torch::nn::LayerNormOptions;
using torch::nn::Linear;

constexpr double kInitialStd = 0.02;         // of weights; timm truncates at +-2, which never acts at this width
constexpr double kInitialLayerScale = 1e-6;  // blocks start near the identity

LayerNormOptions norm_options(int64_t dim) { return LayerNormOptions({dim}).eps(1e-6); }

// Between [B, C, H, W] and [B, H, W, C]: a change of strides only, and in channels-last both sides are dense.
at::Tensor channels_to_back(const at::Tensor& x) { return x.permute({0, 2, 3, 1}); }
at::Tensor channels_to_front(const at::Tensor& x) { return x.permute({0, 3, 1, 2}); }

// Layer norm over the channels of [B, C, H, W].
struct LayerNorm2dImpl : torch::nn::LayerNormImpl {
  using LayerNormImpl::LayerNormImpl;
  at::Tensor forward(const at::Tensor& x) { return channels_to_front(LayerNormImpl::forward(channels_to_back(x))); }
};
TORCH_MODULE(LayerNorm2d);

struct ConvNeXtBlockImpl : torch::nn::Module {
  explicit ConvNeXtBlockImpl(int64_t dim) {
    conv_dw = register_module("conv_dw", DepthwiseConv2d(Conv2dOptions(dim, dim, 7).padding(3).groups(dim)));
    norm = register_module("norm", LayerNorm(norm_options(dim)));
    fc1 = register_nested(*this, {"mlp", "fc1"}, Linear(dim, 4 * dim));
    fc2 = register_nested(*this, {"mlp", "fc2"}, Linear(4 * dim, dim));
    gamma = register_parameter("gamma", at::full({dim}, kInitialLayerScale));
  }

  at::Tensor forward(const at::Tensor& x) {       // [B, C, H, W]
    auto h = norm(channels_to_back(conv_dw(x)));  // [B, H, W, C]
    h = linear(fc2, at::gelu(linear(fc1, h))) * gamma;
    return channels_to_front(h) + x;
  }

  DepthwiseConv2d conv_dw{nullptr};
  LayerNorm norm{nullptr};
  Linear fc1{nullptr}, fc2{nullptr};
  at::Tensor gamma;  // layer scale, [C]
};
TORCH_MODULE(ConvNeXtBlock);

template <typename Layer>
void init_layer(Layer& layer) {
  layer.weight.normal_(0, kInitialStd);
  layer.bias.zero_();
}

}  // namespace

ConvNeXtImpl::ConvNeXtImpl(const ConvNeXtOptions& options) : options(options) {
  const auto& dims = options.dims();
  const torch::nn::Sequential stem(Conv2d(Conv2dOptions(3, dims[0], 4).stride(4)), LayerNorm2d(norm_options(dims[0])));
  layers.push_back(register_module("stem", stem));
  for (size_t i = 0; i < dims.size(); ++i) {
    const auto stage = std::to_string(i);
    if (i > 0) {
      const torch::nn::Sequential downsample(LayerNorm2d(norm_options(dims[i - 1])),
                                             Conv2d(Conv2dOptions(dims[i - 1], dims[i], 2).stride(2)));
      layers.push_back(register_nested(*this, {"stages", stage, "downsample"}, downsample));
    }
    torch::nn::Sequential blocks;
    for (int64_t block = 0; block < options.depths()[i]; ++block) blocks->push_back(ConvNeXtBlock(dims[i]));
    layers.push_back(register_nested(*this, {"stages", stage, "blocks"}, blocks));
  }
  norm = register_nested(*this, {"head", "norm"}, LayerNorm(norm_options(dims.back())));
  fc = register_nested(*this, {"head", "fc"}, Linear(dims.back(), options.num_classes()));

  torch::NoGradGuard no_grad;
  for (auto& module : modules(/*include_self=*/false)) {
    if (auto* conv = module->as<Conv2d>()) init_layer(*conv);
    if (auto* linear = module->as<Linear>()) init_layer(*linear);
  }
}

at::Tensor ConvNeXtImpl::forward(at::Tensor x) {
  for (auto& layer : layers) x = layer->forward(x);  // [B, C, H/32, W/32]
  return fc(norm(x.mean(at::IntArrayRef{2, 3})));
}

}  // namespace sparring
