#include "distill/optimizer.h"

#include <cmath>

#include "error.h"

namespace sparring {
namespace {

// As rows of numbers, in the order of the memory, which is one for all that an update joins. Of tensors in channels-last the kernel for AdamW on the
// CPU copies one first, which takes longer than the update.
std::vector<at::Tensor> as_rows(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> rows;
  for (const auto& tensor : tensors) rows.push_back(tensor.as_strided({tensor.numel()}, {1}));
  return rows;
}

}  // namespace

Optimizer::Optimizer(std::vector<std::pair<std::string, at::Tensor>> parameters, OptimizerOptions options)
    : options_(options) {
  if (parameters.empty()) throw Error("usage", "Training: expected a network with weights to train, found none.");
  for (auto& [name, parameter] : parameters) {
    TORCH_CHECK(parameter.is_non_overlapping_and_dense(), name, " is not a row of numbers");
    names_.push_back(name);
    parameters_.push_back(parameter);
    first_.push_back(at::zeros_like(parameter));
    if (options_.kind == OptimizerOptions::Kind::adamw) second_.push_back(at::zeros_like(parameter));
  }
  step_count_ = at::zeros({}, parameters_.front().options().dtype(at::kFloat).requires_grad(false));
}

std::vector<at::Tensor> Optimizer::laid_out(std::vector<at::Tensor> gradients) const {
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < gradients.size(); ++i) {
    auto& gradient = gradients[i];
    if (!gradient.defined()) gradient = at::zeros_like(parameters_[i]);
    if (gradient.strides() != parameters_[i].strides()) gradient = at::empty_like(parameters_[i]).copy_(gradient);
  }
  return gradients;
}

void Optimizer::step(const std::vector<at::Tensor>& gradients, double learning_rate) {
  torch::NoGradGuard no_grad;
  const auto parameters = as_rows(parameters_), slopes = as_rows(laid_out(gradients)), first = as_rows(first_);
  step_count_ += 1;
  if (options_.kind == OptimizerOptions::Kind::adamw) {
    const std::vector<at::Tensor> steps(parameters_.size(), step_count_);
    at::_fused_adamw_(parameters, slopes, first, as_rows(second_), {}, steps, learning_rate, options_.beta1, options_.beta2,
                      options_.weight_decay, options_.eps, /*amsgrad=*/false, /*maximize=*/false);
  } else {
    const bool first_step = step_count_.item<float>() == 1;
    const auto momenta = options_.momentum == 0 ? at::TensorList() : at::TensorList(first);  // what the kernel asks for
    at::_fused_sgd_(parameters, slopes, momenta, options_.weight_decay, options_.momentum, learning_rate,
                    /*dampening=*/0, /*nesterov=*/false, /*maximize=*/false, first_step);
  }
}

NamedTensors Optimizer::state() const {
  NamedTensors result{{"step", step_count_}};
  for (size_t i = 0; i < names_.size(); ++i) {
    result.emplace_back("first." + names_[i], first_[i]);
    if (!second_.empty()) result.emplace_back("second." + names_[i], second_[i]);
  }
  return result;
}

}  // namespace sparring
