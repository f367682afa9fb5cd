#include "models/patch_discriminator.h"

#include <algorithm>

namespace sparring {
namespace {

torch::nn::Conv2d convolution(int64_t in, int64_t out, int64_t stride, bool bias) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 4).stride(stride).padding(1).bias(bias));
}

torch::nn::LeakyReLU activation() { return torch::nn::LeakyReLU(torch::nn::LeakyReLUOptions().negative_slope(0.2).inplace(true)); }

}  // namespace

PatchDiscriminatorImpl::PatchDiscriminatorImpl(const PatchDiscriminatorOptions& options) : options(options) {
  main = register_module("main", torch::nn::Sequential());
  auto channels = options.width();
  main->push_back(convolution(3, channels, 2, true));
  main->push_back(activation());
  for (int64_t layer = 1; layer <= options.layers(); ++layer) {
    const auto in = channels;
    channels = options.width() * std::min(int64_t{1} << layer, int64_t{8});
    main->push_back(convolution(in, channels, layer < options.layers() ? 2 : 1, false));
    main->push_back(torch::nn::BatchNorm2d(torch::nn::BatchNorm2dOptions(channels).track_running_stats(false)));
    main->push_back(activation());
  }
  main->push_back(convolution(channels, 1, 1, true));

  for (auto& module : modules(/*include_self=*/false)) {
    if (auto* conv = module->as<torch::nn::Conv2d>()) torch::nn::init::normal_(conv->weight, 0, 0.02);
    if (auto* norm = module->as<torch::nn::BatchNorm2d>()) torch::nn::init::normal_(norm->weight, 1, 0.02);
  }
}

at::Tensor PatchDiscriminatorImpl::forward(const at::Tensor& images) {
  return main->forward(images.contiguous(at::MemoryFormat::ChannelsLast)).to(at::kFloat);
}

}  // namespace sparring
