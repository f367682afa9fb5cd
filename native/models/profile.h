// What a forward pass consists of and what it costs, found by running it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace sparring {

struct LayerProfile {
  std::string name;               // of the module whose weights are used; of attention's products that of the layer before
  std::string operation;          // of PyTorch, such as "conv2d"
  std::vector<int64_t> output{};  // shape
  int64_t parameters = 0;         // each counts where it is first used
  int64_t flops = 0;
  int64_t bytes = 0;              // of the output, where it is not a view
};

struct Profile {
  std::vector<LayerProfile> layers;  // in the order of the pass
  int64_t flops = 0;
  int64_t peak_bytes = 0;   // largest memory of inputs, outputs and intermediate values without gradients
  int64_t saved_bytes = 0;  // what the pass leaves in memory for the backward pass, with its output
};

// Runs `forward` twice, without and with gradients, and lists the operations with weights of `module` and the products of
// matrices. A multiply-add counts as two; only convolutions, matrix products and attention are counted, as PyTorch's own
// FlopCounterMode does.
Profile profile(const torch::nn::Module& module, const std::function<at::Tensor()>& forward);

}  // namespace sparring
