// A classifier with what belongs to it: its network, normalisation, classes and input size.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "models/architecture.h"
#include "models/script_network.h"

namespace sparring {

struct ClassifierOptions {
  Architecture architecture;  // of a TorchScript network the file says it
  int64_t num_classes = 2;
  int64_t image_size = 32;  // side of the images that it is given
  int64_t input_size = 32;  // side of what its network takes; images of another size are resized
  std::array<double, 3> mean{0.5, 0.5, 0.5};  // per channel, of pixels in 0..1
  std::array<double, 3> std{0.5, 0.5, 0.5};
};

class Classifier {
 public:
  // Without a seed the weights are left as they come, for loading; see initialisation.h.
  Classifier(ClassifierOptions options, at::Device device, std::optional<uint64_t> seed);

  // One whose network is that of a TorchScript file: it can be neither trained nor saved.
  Classifier(ClassifierOptions options, at::Device device, const std::string& torchscript);

  // pixels: [B, 3, H, W] fp32 in 0..1 -> logits [B, num_classes] fp32.
  // The trained module itself: gradients reach its weights, batch norm follows the module's mode.
  at::Tensor forward(const at::Tensor& pixels);

  // The frozen copy in evaluation mode, converted once to `dtype` and channels-last: gradients reach the pixels only.
  // Remade after the weights have changed (see touch()).
  at::Tensor forward_frozen(const at::Tensor& pixels, at::ScalarType dtype);

  // The copy that there is now, to hold it or to see that it is another one; null before its first use.
  std::shared_ptr<const torch::nn::AnyModule> frozen_copy() const { return frozen_; }

  // What the head of the frozen copy takes, [B, D] fp32; the mean over them of a network with two heads. Gradients as above.
  // Throws Error "weights" for a TorchScript network, whose head is unknown.
  at::Tensor features_frozen(const at::Tensor& pixels, at::ScalarType dtype);

  // Of the frozen copy, for losses between images: the outputs of the stages of a cnn or resnet, [B, C, h, w] fp32 each; of the
  // other families features_frozen alone, as [B, D, 1, 1]. Gradients as above; throws like it.
  std::vector<at::Tensor> feature_maps_frozen(const at::Tensor& pixels, at::ScalarType dtype);

  // To be called after every change of the weights.
  void touch() {
    frozen_.reset();
    headless_.reset();
  }

  // A second classifier of the same kind with its own copy of the weights.
  std::shared_ptr<Classifier> clone() const;

  // Throws Error "weights" for a TorchScript network.
  torch::nn::Module& module() const;
  int64_t parameter_count() const;
  bool is_script() const { return script_ != nullptr; }
  const ClassifierOptions& options() const { return options_; }
  at::Device device() const { return device_; }

 private:
  Classifier(const Classifier&) = default;
  Classifier(ClassifierOptions options, at::Device device);
  at::Tensor prepare(const at::Tensor& pixels) const;
  at::Tensor prepare_frozen(const at::Tensor& pixels, at::ScalarType dtype) const;
  torch::nn::AnyModule copy_network() const;
  void freeze_in(at::ScalarType dtype);  // drops copies of another type
  torch::nn::AnyModule& frozen(at::ScalarType dtype);
  torch::nn::AnyModule& headless(at::ScalarType dtype);

  ClassifierOptions options_;
  at::Device device_;
  torch::nn::AnyModule net_;
  std::shared_ptr<ScriptNetwork> script_;  // instead of net_
  at::Tensor mean_, inverse_std_;          // [1, 3, 1, input_size]
  std::shared_ptr<torch::nn::AnyModule> frozen_;
  std::shared_ptr<torch::nn::AnyModule> headless_;  // a second one, whose head returns what it takes
  at::ScalarType frozen_dtype_ = at::kFloat;
};

// Copies parameters and buffers between two modules of the same structure.
void copy_weights(const torch::nn::Module& from, torch::nn::Module& to);
// Weights to channels-last, the layout of every convolution here.
void to_channels_last(torch::nn::Module& module);
// To evaluation mode and `dtype`, channels-last, without weight gradients.
void freeze(torch::nn::Module& module, at::ScalarType dtype);

}  // namespace sparring
