// AdamW (Loshchilov & Hutter 2017, arXiv 1711.05101) and SGD with momentum, on LibTorch's fused kernels:
// one call updates all parameters. The same update as torch.optim.AdamW and torch.optim.SGD.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "io/safetensors.h"

namespace sparring {

struct OptimizerOptions {
  enum class Kind { adamw, sgd };
  Kind kind = Kind::adamw;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // AdamW
  double momentum = 0.9;                          // SGD
  double weight_decay = 0.01;                     // decoupled in AdamW, added to the gradient in SGD
};

class Optimizer {
 public:
  Optimizer(std::vector<std::pair<std::string, at::Tensor>> parameters, OptimizerOptions options);

  // In the order in which gradients are given.
  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  // Gradients as an update takes them: with the strides of the parameters, as the fused kernels walk raw memory, and 0 where undefined.
  std::vector<at::Tensor> laid_out(std::vector<at::Tensor> gradients) const;
  // One update.
  void step(const std::vector<at::Tensor>& gradients, double learning_rate);

  // Moments and step count by name, aliasing the optimizer's own: to be saved, or written into on resume.
  NamedTensors state() const;

 private:
  std::vector<std::string> names_;
  std::vector<at::Tensor> parameters_, first_, second_;
  OptimizerOptions options_;
  at::Tensor step_count_;  // [] fp32, the same for all parameters
};

}  // namespace sparring
