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

// One launch on a GPU for all that are of a type.
void copy_each(const std::vector<at::Tensor>& targets, const std::vector<at::Tensor>& sources) {
  torch::NoGradGuard no_grad;
  std::map<at::ScalarType, std::pair<std::vector<at::Tensor>, std::vector<at::Tensor>>> by_type;
  for (size_t i = 0; i < targets.size(); ++i) {
    auto& [of_type, their_sources] = by_type[targets[i].scalar_type()];
    of_type.push_back(targets[i]);
    their_sources.push_back(sources[i]);
  }
  for (auto& [type, tensors] : by_type) at::_foreach_copy_(tensors.first, tensors.second);
}

}  // namespace

BufferGuard::BufferGuard(torch::nn::Module& module) : live_(module.buffers()) {
  for (const auto& buffer : live_) saved_.push_back(at::empty_like(buffer));
  copy_each(saved_, live_);
}

BufferGuard::~BufferGuard() {
  if (!live_.empty()) copy_each(live_, saved_);
}

std::vector<at::Tensor> Slope::list() const {
  std::vector<at::Tensor> all{numbers};
  all.insert(all.end(), gradients.begin(), gradients.end());
  return all;
}

TrainingState::TrainingState(torch::nn::Module& module, torch::nn::Module* ema, const TrainingOptions& options)
    : module_(module), ema_(ema), options_(options), optimizer_(trainable(module), options.optimizer) {}

Slope TrainingState::slope(const at::Tensor& loss, const std::vector<at::Tensor>& others) const {
  auto gradients = optimizer_.laid_out(torch::autograd::grad({loss}, optimizer_.parameters(), /*grad_outputs=*/{}, /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true));
  torch::NoGradGuard no_grad;
  std::vector<at::Tensor> numbers{loss.detach().to(at::kFloat), at::stack(at::_foreach_norm(gradients)).norm()};
  for (const auto& other : others) numbers.push_back(other.detach().to(at::kFloat));
  return {at::stack(numbers), std::move(gradients)};
}

Descent TrainingState::descend(const Slope& slope, double learning_rate, uint64_t step) {
  auto descent = check(slope, step);
  update(slope, descent, learning_rate, step);
  return descent;
}

Descent TrainingState::check(const Slope& slope, uint64_t step) {
  const auto read = slope.numbers.cpu();  // together: a GPU that is asked for a value is waited for
  Descent descent{read[0].item<double>(), read[1].item<double>(), {}};
  for (int64_t i = 2; i < read.size(0); ++i) descent.others.push_back(read[i].item<double>());
  require_finite(descent.loss, "loss", step);
  require_finite(descent.gradient_norm, "gradient norm", step);
  return descent;
}

void TrainingState::update(const Slope& slope, const Descent& descent, double learning_rate, uint64_t step) {
  const auto limit = options_.clip_norm;
  if (limit > 0 && descent.gradient_norm > limit) at::_foreach_mul_(slope.gradients, limit / (descent.gradient_norm + 1e-6));
  optimizer_.step(slope.gradients, learning_rate);
  if (ema_) update_ema(step);
}

void TrainingState::update_ema(uint64_t step) {
  torch::NoGradGuard no_grad;
  // A short memory at first, so that the average forgets the random initial weights.
  const auto n = static_cast<double>(step);
  const auto decay = std::min(options_.ema_decay, (1 + n) / (10 + n));
  std::vector<at::Tensor> average = ema_->parameters(), current = module_.parameters();
  at::_foreach_lerp_(average, current, 1 - decay);
  copy_each(ema_->buffers(), module_.buffers());
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
