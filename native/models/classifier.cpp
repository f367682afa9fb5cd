#include "models/classifier.h"

#include "error.h"
#include "models/following_norm.h"
#include "models/freezable_conv.h"
#include "models/initialisation.h"
#include "ops/resize.h"

namespace sparring {
namespace {

torch::nn::AnyModule network_of(const ClassifierOptions& options) {
  return make_network(options.architecture, options.num_classes, options.input_size);
}

// [1, 3, 1, size] channels-last, a line of an image: an operation that repeats lines in that layout is vectorised, one that repeats three numbers is not.
at::Tensor in_line(const std::array<double, 3>& values, int64_t size, at::Device device) {
  const auto of_channels = at::tensor(at::ArrayRef<double>(values.data(), 3), at::kDouble).to(at::kFloat).view({1, 3, 1, 1});
  return of_channels.expand({1, 3, 1, size}).contiguous(at::MemoryFormat::ChannelsLast).to(device);
}

}  // namespace

void copy_weights(const torch::nn::Module& from, torch::nn::Module& to) {
  torch::NoGradGuard no_grad;
  const auto copy = [](const std::vector<at::Tensor>& source, const std::vector<at::Tensor>& target) {
    for (size_t i = 0; i < source.size(); ++i) target[i].copy_(source[i]);
  };
  copy(from.parameters(), to.parameters());
  copy(from.buffers(), to.buffers());
}

void to_channels_last(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) {
    if (parameter.dim() != 4) continue;
    const auto layout = at::MemoryFormat::ChannelsLast;
    parameter.set_data(Initialisation::draws() ? parameter.contiguous(layout) : at::empty_like(parameter, layout));
  }
}

void freeze(torch::nn::Module& module, at::ScalarType dtype) {
  module.eval();
  for (auto& child : module.modules()) {
    if (auto* conv = child->as<UpsampleConv2d>()) conv->merge(dtype);
    if (auto* norm = child->as<FollowingNorm>()) norm->fold();
  }
  for (auto& child : module.modules()) {
    // Running variances lose too much in 16 bits; batch norm takes fp32 statistics with 16-bit inputs.
    if (child->as<torch::nn::BatchNorm2d>()) continue;
    for (auto& parameter : child->parameters(/*recurse=*/false)) parameter.set_data(parameter.to(dtype));
  }
  to_channels_last(module);
  for (auto& parameter : module.parameters()) parameter.requires_grad_(false);
  for (auto& child : module.modules()) {
    if (auto* conv = child->as<UpsampleConv2d>()) conv->freeze();
    else if (auto* conv = child->as<FreezableConv2d>()) conv->freeze();
    else if (auto* conv = child->as<torch::nn::Conv2d>(); conv && conv->bias.defined()) conv->bias = conv->bias.to(dtype);  // of a norm
  }
}

Classifier::Classifier(ClassifierOptions options, at::Device device)
    : options_(std::move(options)),
      device_(device),
      mean_(in_line(options_.mean, options_.input_size, device)),
      inverse_std_(in_line(options_.std, options_.input_size, device).reciprocal()) {}

Classifier::Classifier(ClassifierOptions options, at::Device device, const std::string& torchscript) : Classifier(std::move(options), device) {
  script_ = std::make_shared<ScriptNetwork>(torchscript, device_, options_.input_size, options_.num_classes);
}

Classifier::Classifier(ClassifierOptions options, at::Device device, std::optional<uint64_t> seed) : Classifier(std::move(options), device) {
  const Initialisation initialisation(seed);
  net_ = network_of(options_);
  module().to(device_);
  to_channels_last(module());
}

torch::nn::Module& Classifier::module() const {
  if (script_) throw Error("weights", "A TorchScript network is used as it is: it can be neither trained nor saved.", "For training take an architecture of sparring, with safetensors weights.");
  return *net_.ptr();
}

int64_t Classifier::parameter_count() const {
  if (script_) return script_->parameter_count();
  int64_t count = 0;
  for (const auto& parameter : module().parameters()) count += parameter.numel();
  return count;
}

at::Tensor Classifier::prepare(const at::Tensor& pixels) const {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);  // whose matrix products are bf16
  return (resize(pixels, options_.input_size).contiguous(at::MemoryFormat::ChannelsLast) - mean_) * inverse_std_;
}

at::Tensor Classifier::forward(const at::Tensor& pixels) {
  return net_.forward(prepare(pixels)).to(at::kFloat);
}

at::Tensor Classifier::forward_frozen(const at::Tensor& pixels, at::ScalarType dtype) {
  if (script_) return script_->forward(prepare(pixels), dtype);
  return frozen(dtype).forward(prepare_frozen(pixels, dtype)).to(at::kFloat);
}

at::Tensor Classifier::features_frozen(const at::Tensor& pixels, at::ScalarType dtype) {
  if (script_) throw Error("weights", "A TorchScript network has no features that are known: where its head begins is not in the file.", "Take an architecture of sparring, with safetensors weights.");
  return headless(dtype).forward(prepare_frozen(pixels, dtype)).to(at::kFloat);
}

std::vector<at::Tensor> Classifier::feature_maps_frozen(const at::Tensor& pixels, at::ScalarType dtype) {
  std::vector<at::Tensor> maps;
  if (!script_) {
    auto& network = *frozen(dtype).ptr();
    if (auto* cnn = network.as<Cnn>()) maps = cnn->feature_maps(prepare_frozen(pixels, dtype));
    if (auto* resnet = network.as<ResNet>()) maps = resnet->feature_maps(prepare_frozen(pixels, dtype));
  }
  if (maps.empty()) return {features_frozen(pixels, dtype).unsqueeze(2).unsqueeze(3)};
  for (auto& map : maps) map = map.to(at::kFloat);
  return maps;
}

at::Tensor Classifier::prepare_frozen(const at::Tensor& pixels, at::ScalarType dtype) const {
  return prepare(pixels).to(dtype);
}

void Classifier::freeze_in(at::ScalarType dtype) {
  if (frozen_dtype_ != dtype) touch();
  frozen_dtype_ = dtype;
}

torch::nn::AnyModule& Classifier::frozen(at::ScalarType dtype) {
  freeze_in(dtype);
  if (frozen_) return *frozen_;
  frozen_ = std::make_shared<torch::nn::AnyModule>(copy_network());
  freeze(*frozen_->ptr(), dtype);
  return *frozen_;
}

torch::nn::AnyModule& Classifier::headless(at::ScalarType dtype) {
  freeze_in(dtype);
  if (headless_) return *headless_;
  headless_ = std::make_shared<torch::nn::AnyModule>(copy_network());
  auto& module = *headless_->ptr();
  const auto children = module.named_modules();
  for (const auto& name : head_names(options_.architecture)) {
    if (!children.contains(name)) continue;  // an optional second head
    auto& head = *children[name]->as<torch::nn::Linear>();
    head.weight.set_data(at::eye(head.weight.size(1), head.weight.options()));  // exact: one product by 1, the others by 0
    head.bias.set_data(at::zeros({head.weight.size(0)}, head.bias.options()));
  }
  freeze(module, dtype);
  return *headless_;
}

torch::nn::AnyModule Classifier::copy_network() const {
  const Initialisation none(std::nullopt);
  auto copy = network_of(options_);
  copy.ptr()->to(device_);
  to_channels_last(*copy.ptr());
  copy_weights(module(), *copy.ptr());
  return copy;
}

std::shared_ptr<Classifier> Classifier::clone() const {
  auto copy = std::shared_ptr<Classifier>(new Classifier(*this));
  if (script_) return copy;  // never changes
  copy->net_ = copy_network();
  copy->touch();
  return copy;
}

}  // namespace sparring
