#include "models/architecture.h"

namespace sparring {
namespace {

torch::nn::AnyModule build(const CnnOptions& options) { return torch::nn::AnyModule(Cnn(options)); }
torch::nn::AnyModule build(const ResNetOptions& options) { return torch::nn::AnyModule(ResNet(options)); }
torch::nn::AnyModule build(const ViTOptions& options) { return torch::nn::AnyModule(ViT(options)); }
torch::nn::AnyModule build(const TinyViTOptions& options) { return torch::nn::AnyModule(TinyViT(options)); }
torch::nn::AnyModule build(const ConvNeXtOptions& options) { return torch::nn::AnyModule(ConvNeXt(options)); }
torch::nn::AnyModule build(const MobileNetV3Options& options) { return torch::nn::AnyModule(MobileNetV3(options)); }
torch::nn::AnyModule build(const EfficientNetOptions& options) { return torch::nn::AnyModule(EfficientNet(options)); }

std::vector<std::string> heads(const CnnOptions&) { return {"fc"}; }
std::vector<std::string> heads(const ResNetOptions&) { return {"fc"}; }
std::vector<std::string> heads(const ViTOptions&) { return {"head", "head_dist"}; }
std::vector<std::string> heads(const TinyViTOptions&) { return {"head.fc"}; }
std::vector<std::string> heads(const ConvNeXtOptions&) { return {"head.fc"}; }
std::vector<std::string> heads(const MobileNetV3Options&) { return {"classifier"}; }
std::vector<std::string> heads(const EfficientNetOptions&) { return {"classifier"}; }

std::vector<GridWeight> grids(const ViTOptions& options) { return {{"pos_embed", 1, options.prefix_positions() ? options.prefix_tokens() : 0}}; }
std::vector<GridWeight> grids(const TinyViTOptions&) { return {{"attention_biases", 1, 0}}; }

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

std::vector<std::string> head_names(const Architecture& architecture) {
  return std::visit([](const auto& options) { return heads(options); }, architecture);
}

std::vector<GridWeight> grid_weights(const Architecture& architecture) {
  return std::visit(
      [](const auto& options) -> std::vector<GridWeight> {
        if constexpr (requires { grids(options); }) return grids(options);
        return {};
      },
      architecture);
}

}  // namespace sparring
