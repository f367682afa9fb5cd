// A linear layer on inputs of any number of dimensions: [..., in] -> [..., out].
#pragma once

#include <torch/torch.h>

namespace sparring {

// torch::nn::Linear adds the bias apart from the product for inputs of more than two dimensions: slower, and in 16 bits
// rounded twice.
inline at::Tensor linear(const torch::nn::Linear& layer, const at::Tensor& x) {
  return at::linear(x, layer->weight, layer->bias);
}

}  // namespace sparring
