#include "node/architectures.h"

#include "node/network_checks.h"
#include "node/values.h"

namespace sparring::node {
namespace {

CnnOptions cnn(const Napi::Object& options) {
  const auto width = integer(options, "width"), stages = integer(options, "stages");
  require(in_range(width, 4096) && in_range(stages, 8), "width must be 1 to 4096 and stages 1 to 8.");
  return CnnOptions().width(width).stages(stages);
}

ResNetOptions resnet(const Napi::Object& options) {
  const auto layers = integers(options, "layers");
  const auto width = integer(options, "width");
  require(in_range(width, 4096) && all_in_range(layers, 1000), "width must be 1 to 4096, and layers 1 to 8 numbers of at least 1.");
  return ResNetOptions()
      .layers(layers)
      .width(width)
      .bottleneck(boolean(options, "bottleneck"))
      .cifar_stem(text(options, "stem") == "cifar");
}

ViTOptions vit(const Napi::Object& options) {
  const auto dim = integer(options, "dim"), depth = integer(options, "depth"), heads = integer(options, "heads");
  const auto patch = integer(options, "patch"), mlp_dim = integer(options, "mlpDim"), registers = integer(options, "registers");
  const auto projection = integer(options, "projection");
  require(in_range(dim, 8192) && in_range(depth, 200) && in_range(heads, dim) && dim % heads == 0, "dim, depth and heads must be at least 1, and heads must divide dim.");
  require(in_range(patch, 256) && in_range(mlp_dim, 1 << 16) && registers >= 0 && registers <= 64, "patch and mlpDim must be at least 1, registers 0 to 64.");
  require(projection >= 0 && projection <= 8192, "projection must be 0 to 8192.");
  return ViTOptions()
      .dim(dim)
      .depth(depth)
      .heads(heads)
      .patch(patch)
      .mlp_dim(mlp_dim)
      .registers(registers)
      .distilled(boolean(options, "distilled"))
      .layer_scale(boolean(options, "layerScale"))
      .prefix_positions(boolean(options, "prefixPositions"))
      .pre_norm(boolean(options, "preNorm"))
      .projection(projection)
      .average_pool(text(options, "pool") == "average")
      .quick_gelu(text(options, "activation") == "quick-gelu")
      .norm_eps(number(options, "normEps"));
}

TinyViTOptions tiny_vit(const Napi::Object& options) {
  const auto depths = integers(options, "depths"), dims = integers(options, "dims");
  const auto heads = integers(options, "heads"), windows = integers(options, "windows");
  require(all_in_range(depths, 1000) && all_in_range(dims, 8192) && dims.size() >= 2 && dims[0] >= 2, "dims must be 2 to 8 numbers of at least 1, the first of at least 2, and depths numbers of at least 1.");
  require(all_in_range(heads, 8192) && all_in_range(windows, 64), "heads must be numbers of at least 1, and windows 1 to 64.");
  require(depths.size() == dims.size() && heads.size() + 1 == dims.size() && windows.size() == heads.size(), "depths must be as many as dims, heads and windows one fewer.");
  for (size_t i = 0; i < heads.size(); ++i) require(dims[i + 1] % heads[i] == 0, "heads must divide dims.");
  return TinyViTOptions().depths(depths).dims(dims).heads(heads).windows(windows);
}

ConvNeXtOptions convnext(const Napi::Object& options) {
  const auto depths = integers(options, "depths"), dims = integers(options, "dims");
  require(all_in_range(depths, 1000) && all_in_range(dims, 8192) && depths.size() == dims.size(), "depths must be 1 to 8 numbers of at least 1, and dims as many.");
  return ConvNeXtOptions().depths(depths).dims(dims);
}

double multiplier(const Napi::Object& options, const char* key) {
  const auto value = number(options, key);
  require(value > 0 && value <= 16, std::string(key) + " must be above 0 and at most 16.");
  return value;
}

MobileNetV3Options mobilenet_v3(const Napi::Object& options) {
  return MobileNetV3Options().small(text(options, "size") == "small").width(multiplier(options, "width"));
}

EfficientNetOptions efficientnet(const Napi::Object& options) {
  return EfficientNetOptions().width(multiplier(options, "width")).depth(multiplier(options, "depth"));
}

}  // namespace

Architecture architecture(const Napi::Object& options) {
  const auto family = text(options, "family");
  if (family == "cnn") return cnn(options);
  if (family == "resnet") return resnet(options);
  if (family == "vit") return vit(options);
  if (family == "tiny-vit") return tiny_vit(options);
  if (family == "convnext") return convnext(options);
  if (family == "mobilenet-v3") return mobilenet_v3(options);
  if (family == "efficientnet") return efficientnet(options);
  throw Error("usage", "Unknown architecture family '" + family + "'; expected cnn, resnet, vit, tiny-vit, convnext, mobilenet-v3 or efficientnet.");
}

}  // namespace sparring::node
