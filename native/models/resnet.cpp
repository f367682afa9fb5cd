#include "models/resnet.h"

#include <string>

namespace sparring {
namespace {

FreezableConv2d convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  return FreezableConv2d(
      torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

// The shortcut when the shape changes: 1x1 convolution and batch norm, keys downsample.0 and downsample.1.
torch::nn::Sequential make_downsample(int64_t in, int64_t out, int64_t stride) {
  const auto conv = convolution(in, out, 1, stride);
  return torch::nn::Sequential(conv, FollowingNorm(conv));
}

struct BasicBlockImpl : torch::nn::Module {
  static constexpr int64_t expansion = 1;
  BasicBlockImpl(int64_t in, int64_t width, int64_t stride) {
    conv1 = register_module("conv1", convolution(in, width, 3, stride));
    bn1 = register_module("bn1", FollowingNorm(conv1));
    conv2 = register_module("conv2", convolution(width, width, 3, 1));
    bn2 = register_module("bn2", FollowingNorm(conv2));
    if (stride != 1 || in != width) downsample = register_module("downsample", make_downsample(in, width, stride));
  }

  at::Tensor forward(at::Tensor x) {
    auto out = bn1->then_relu(conv1(x));
    out = bn2(conv2(out));
    return (out + (downsample ? downsample->forward(x) : x)).relu_();
  }

  FreezableConv2d conv1{nullptr}, conv2{nullptr};
  FollowingNorm bn1{nullptr}, bn2{nullptr};
  torch::nn::Sequential downsample{nullptr};
};
TORCH_MODULE(BasicBlock);

struct BottleneckImpl : torch::nn::Module {
  static constexpr int64_t expansion = 4;
  BottleneckImpl(int64_t in, int64_t width, int64_t stride) {
    const auto out = width * expansion;
    conv1 = register_module("conv1", convolution(in, width, 1, 1));
    bn1 = register_module("bn1", FollowingNorm(conv1));
    // The stride sits on the 3x3 convolution ("v1.5"), as in torchvision and timm.
    conv2 = register_module("conv2", convolution(width, width, 3, stride));
    bn2 = register_module("bn2", FollowingNorm(conv2));
    conv3 = register_module("conv3", convolution(width, out, 1, 1));
    bn3 = register_module("bn3", FollowingNorm(conv3));
    if (stride != 1 || in != out) downsample = register_module("downsample", make_downsample(in, out, stride));
  }

  at::Tensor forward(at::Tensor x) {
    auto out = bn1->then_relu(conv1(x));
    out = bn2->then_relu(conv2(out));
    out = bn3(conv3(out));
    return (out + (downsample ? downsample->forward(x) : x)).relu_();
  }

  FreezableConv2d conv1{nullptr}, conv2{nullptr}, conv3{nullptr};
  FollowingNorm bn1{nullptr}, bn2{nullptr}, bn3{nullptr};
  torch::nn::Sequential downsample{nullptr};
};
TORCH_MODULE(Bottleneck);

template <typename Block>
torch::nn::Sequential make_stage(int64_t& channels, int64_t width, int64_t blocks, int64_t stride) {
  constexpr auto expansion = Block::ContainedType::expansion;
  torch::nn::Sequential stage;
  for (int64_t i = 0; i < blocks; ++i) {
    stage->push_back(Block(channels, width, i == 0 ? stride : 1));
    channels = width * expansion;
  }
  return stage;
}

}  // namespace

ResNetImpl::ResNetImpl(const ResNetOptions& options) : options(options) {
  auto channels = options.width();
  conv1 = register_module("conv1", options.cifar_stem() ? convolution(3, channels, 3, 1) : convolution(3, channels, 7, 2));
  bn1 = register_module("bn1", FollowingNorm(conv1));
  for (size_t i = 0; i < options.layers().size(); ++i) {
    const auto width = options.width() << i;
    const int64_t stride = i == 0 ? 1 : 2;
    auto stage = options.bottleneck() ? make_stage<Bottleneck>(channels, width, options.layers()[i], stride)
                                      : make_stage<BasicBlock>(channels, width, options.layers()[i], stride);
    stages.push_back(register_module("layer" + std::to_string(i + 1), stage));
  }
  fc = register_module("fc", torch::nn::Linear(channels, options.num_classes()));

  // He initialisation, fan out, as in torchvision.
  for (auto& module : modules(/*include_self=*/false)) {
    if (auto* conv = module->as<torch::nn::Conv2d>()) {
      torch::nn::init::kaiming_normal_(conv->weight, 0.0, torch::kFanOut, torch::kReLU);
    }
  }
}

at::Tensor ResNetImpl::stem(const at::Tensor& x) {
  const auto activated = bn1->then_relu(conv1(x));
  return options.cifar_stem() ? activated : at::max_pool2d(activated, 3, 2, 1);  // [B, width, H, W] or a quarter of the side
}

std::vector<at::Tensor> ResNetImpl::feature_maps(at::Tensor x) {
  std::vector<at::Tensor> maps{stem(x)};
  for (auto& stage : stages) maps.push_back(stage->forward(maps.back()));
  return maps;
}

at::Tensor ResNetImpl::forward(at::Tensor x) {
  x = stem(x);
  for (auto& stage : stages) x = stage->forward(x);
  return fc(x.mean(at::IntArrayRef{2, 3}));
}

}  // namespace sparring
