#include "models/architecture.h"

namespace sparring {
namespace {

torch::nn::AnyModule build(const CnnOptions& options) { return torch::nn::AnyModule(Cnn(options)); }
torch::nn::AnyModule build(const ResNetOptions& options) { return torch::nn::AnyModule(ResNet(options)); }
torch::nn::AnyModule build(const ViTOptions& options) { return torch::nn::AnyModule(ViT(options)); }
torch::nn::AnyModule build(const ConvNeXtOptions& options) { return torch::nn::AnyModule(ConvNeXt(options)); }
torch::nn::AnyModule build(const MobileNetV3Options& options) { return torch::nn::AnyModule(MobileNetV3(options)); }
torch::nn::AnyModule build(const EfficientNetOptions& options) { return torch::nn::AnyModule(EfficientNet(options)); }

}  // namespace

torch::nn::AnyModule make_network(const Architecture& architecture, int64_t num_classes, int64_t image_size) {
  return std::visit(
      [&](auto options) {
        options.num_classes(num_classes);
        if constexpr (requires { options.image_size(image_size); }) options.image_size(image_size);
        return build(options);
      },
      architecture);
}

}  // namespace sparring
