#include "distill/training_state.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "error.h"

namespace sparring {
namespace {

std::vector<std::pair<std::string, at::Tensor>> trainable(torch::nn::Module& module) {
  std::vector<std::pair<std::string, at::Tensor>> result;
  for (auto& item : module.named_parameters()) {
    if (item.value().requires_grad()) result.emplace_back(item.key(), item.value());
  }
  return result;
}

void append(NamedTensors& all, const std::string& prefix, torch::nn::Module& module) {
  for (auto& item : module.named_parameters()) all.emplace_back(prefix + item.key(), item.value());
  for (auto& item : module.named_buffers()) all.emplace_back(prefix + item.key(), item.value());
}

void require_finite(double value, const char* what, uint64_t step) {
  if (std::isfinite(value)) return;
  throw Error("numeric", std::string("The ") + what + " at step " + std::to_string(step) + " is " + std::to_string(value) + ".",
              "Lower the learning rate, set clipNorm, or train in fp32. The last checkpoint is untouched.");
}

}  // namespace

BufferGuard::BufferGuard(torch::nn::Module& module) : live_(module.buffers()) {
  for (const auto& buffer : live_) saved_.push_back(buffer.clone());
}

BufferGuard::~BufferGuard() {
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < live_.size(); ++i) live_[i].copy_(saved_[i]);
}

TrainingState::TrainingState(torch::nn::Module& module, torch::nn::Module* ema, const TrainingOptions& options)
    : module_(module), ema_(ema), options_(options), optimizer_(trainable(module), options.optimizer) {}

Descent TrainingState::apply(const at::Tensor& loss, double learning_rate, uint64_t step, const std::vector<at::Tensor>& others) {
  auto descent = gradients(loss, step, others);
  update(learning_rate, step);
  return descent;
}

Descent TrainingState::gradients(const at::Tensor& loss, uint64_t step, const std::vector<at::Tensor>& others) {
  optimizer_.clear_gradients();
  loss.backward();
  // Read together, and after the backward pass: a GPU that is asked for a value is waited for.
  std::vector<at::Tensor> numbers{loss.detach().to(at::kFloat), optimizer_.gradient_norm()};
  for (const auto& other : others) numbers.push_back(other.detach().to(at::kFloat));
  const auto read = at::stack(numbers).cpu();
  Descent descent{read[0].item<double>(), read[1].item<double>(), {}};
  for (int64_t i = 2; i < read.size(0); ++i) descent.others.push_back(read[i].item<double>());
  require_finite(descent.loss, "loss", step);
  require_finite(descent.gradient_norm, "gradient norm", step);
  const auto limit = options_.clip_norm;
  if (limit > 0 && descent.gradient_norm > limit) optimizer_.scale_gradients(limit / (descent.gradient_norm + 1e-6));
  return descent;
}

void TrainingState::update(double learning_rate, uint64_t step) {
  optimizer_.step(learning_rate);
  if (ema_) update_ema(step);
}

void TrainingState::update_ema(uint64_t step) {
  torch::NoGradGuard no_grad;
  // A short memory at first, so that the average forgets the random initial weights.
  const auto n = static_cast<double>(step);
  const auto decay = std::min(options_.ema_decay, (1 + n) / (10 + n));
  std::vector<at::Tensor> average = ema_->parameters(), current = module_.parameters();
  at::_foreach_lerp_(average, current, 1 - decay);
  const auto average_buffers = ema_->buffers(), buffers = module_.buffers();
  for (size_t i = 0; i < buffers.size(); ++i) average_buffers[i].copy_(buffers[i]);
}

NamedTensors TrainingState::tensors() const {
  NamedTensors all;
  append(all, "model.", module_);
  if (ema_) append(all, "ema.", *ema_);
  for (auto& [name, tensor] : optimizer_.state()) all.emplace_back("optimizer." + name, tensor);
  return all;
}

void TrainingState::restore(const NamedTensors& saved, const std::string& path) { restore_tensors(tensors(), saved, path); }

void restore_tensors(const NamedTensors& live, const NamedTensors& saved, const std::string& path) {
  torch::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> by_name(saved.begin(), saved.end());
  const char* const hint = "The checkpoint belongs to another model or optimizer; start a new run folder.";
  // Check everything before anything is written, so that a bad file changes nothing.
  if (by_name.size() != live.size()) {
    throw Error("weights", path + ": expected a training state of " + std::to_string(live.size()) + " tensors, found " + std::to_string(by_name.size()) + ".", hint);
  }
  for (const auto& [name, tensor] : live) {
    const auto found = by_name.find(name);
    if (found == by_name.end() || found->second.sizes() != tensor.sizes()) {
      throw Error("weights", path + ": training state '" + name + "' is " + (found == by_name.end() ? "missing." : "of another shape."),
                  hint);
    }
  }
  for (const auto& [name, tensor] : live) tensor.copy_(by_name.at(name));
}

}  // namespace sparring
