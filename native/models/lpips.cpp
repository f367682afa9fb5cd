#include "models/lpips.h"

#include <algorithm>
#include <array>

#include "error.h"
#include "io/state_dict.h"
#include "io/weights.h"
#include "models/classifier.h"
#include "models/initialisation.h"
#include "models/nested.h"
#include "models/unet_layers.h"

namespace sparring {
namespace {

constexpr std::array<int, 5> kConvolutions = {2, 2, 3, 3, 3};  // of each stage; all but the first begin with a maximum over 2 x 2

std::string key_of_weights(size_t stage) { return "lin" + std::to_string(stage) + ".model.1.weight"; }

// A buffer, so that it stays in fp32 when the convolutions are frozen in 16 bits.
at::Tensor register_constant(const std::shared_ptr<torch::nn::Module>& module, const char* name, int64_t channels) {
  return module->register_buffer(name, torch::ones({1, channels, 1, 1}));
}

const at::Tensor& tensor_of(const SafetensorsFile& file, const std::string& name) {
  const auto found = std::find_if(file.tensors.begin(), file.tensors.end(), [&](const auto& entry) { return entry.first == name && entry.second.dim() == 4; });
  if (found != file.tensors.end()) return found->second;
  throw Error("weights", file.path + ": expected LPIPS on VGG16, found no tensor " + name + " of four dimensions.",
              "Save lpips.LPIPS(net='vgg') with safetensors.torch.save_model.");
}

LpipsOptions options_of(const SafetensorsFile& file) {
  tensor_of(file, "net.slice5.28.weight");  // the package has LPIPS on shallower networks too
  std::vector<int64_t> channels;
  for (size_t stage = 0; stage < kConvolutions.size(); ++stage) channels.push_back(tensor_of(file, key_of_weights(stage)).size(1));
  return LpipsOptions().channels(channels);
}

}  // namespace

LpipsImpl::LpipsImpl(const LpipsOptions& options) {
  const auto scaling = register_module("scaling_layer", std::make_shared<torch::nn::Module>());
  shift_ = register_constant(scaling, "shift", 3);
  scale_ = register_constant(scaling, "scale", 3);
  int64_t in = 3, layer = 0;
  for (size_t stage = 0; stage < kConvolutions.size(); ++stage) {
    const auto channels = options.channels()[stage];
    auto& convolutions = stages_.emplace_back();
    if (stage > 0) ++layer;  // the maximum
    for (int i = 0; i < kConvolutions[stage]; ++i) {
      convolutions.push_back(register_nested(*this, {"net", "slice" + std::to_string(stage + 1), std::to_string(layer)}, freezable_conv3x3(in, channels)));
      in = channels;
      layer += 2;  // with its ReLU
    }
    const auto judge = register_nested(*this, {"lin" + std::to_string(stage), "model", "1"}, std::make_shared<torch::nn::Module>());
    channel_weights.push_back(register_constant(judge, "weight", channels));
  }
}

std::vector<at::Tensor> LpipsImpl::feature_maps(const at::Tensor& images) {
  auto x = ((images - shift_) / scale_).to(stages_[0][0]->weight.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
  std::vector<at::Tensor> maps;
  for (auto& stage : stages_) {
    if (!maps.empty()) x = at::max_pool2d(x, 2);
    for (auto& convolution : stage) x = at::relu(convolution(x));
    maps.push_back(x.to(at::kFloat));
  }
  return maps;
}

Lpips load_lpips(const std::string& path, at::Device device, at::ScalarType dtype) {
  const auto file = read_weights(path);
  auto network = [&] {
    const Initialisation none(std::nullopt);
    return Lpips(options_of(file));
  }();
  KeyNames names;
  names.ignored = {"lins."};  // the package has them under two names
  load_into(*network, file, {}, names);
  network->to(device);
  freeze(*network, dtype);
  return network;
}

}  // namespace sparring
