// What inspections of convolutions share: their operations differentiated, and what they are given and give back.
#pragma once

#include <vector>

#include <torch/torch.h>

#include "node/fields.h"
#include "ops/autocast.h"

namespace sparring::node {

// An output, and the gradient of its product with a direction; both fp32.
struct Differentiated {
  at::Tensor output, gradient;
};

template <class Operation>
Differentiated differentiate(const Operation& operation, const at::Tensor& x, const at::Tensor& direction) {
  const auto input = x.clone().requires_grad_(true);
  const auto output = operation(input);
  const auto gradient = torch::autograd::grad({output}, {input}, {direction.to(output.scalar_type())})[0];
  return {output.detach().to(at::kFloat).contiguous(), gradient.to(at::kFloat).contiguous()};
}

// inputs: x, weight and, if there is one, bias. Output and gradients of inputs of its product with a direction, in that order, fp64.
template <class Operation>
std::vector<at::Tensor> differentiate_all(const Operation& operation, const std::vector<at::Tensor>& inputs, const at::Tensor& direction, bool autocast) {
  std::vector<at::Tensor> leaves;
  for (const auto& input : inputs) leaves.push_back(input.detach().clone().requires_grad_(true));
  at::Tensor output;
  {
    AutocastGuard guard(at::kCPU, autocast);
    output = operation(leaves[0], leaves[1], leaves.size() > 2 ? leaves[2] : at::Tensor());
  }
  std::vector<at::Tensor> results{output};
  for (const auto& gradient : torch::autograd::grad({output}, leaves, {direction.to(output.scalar_type())})) results.push_back(gradient);
  for (auto& result : results) result = result.detach().to(at::kDouble);
  return results;
}

inline at::Tensor flag(bool value) { return at::full({1}, value ? 1.0 : 0.0); }

inline std::vector<int64_t> sizes_of_x(const Napi::Object& options) {
  auto shape = integers(options, "shape");
  if (shape.size() != 4) throw Error("usage", "shape: expected the four sizes of x.");
  return shape;
}

}  // namespace sparring::node
