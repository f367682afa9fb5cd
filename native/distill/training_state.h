// What every trainer shares: module, optimizer, moving average of the weights, and how they are saved and resumed.
#pragma once

#include <vector>

#include "distill/optimizer.h"

namespace sparring {

struct TrainingOptions {
  OptimizerOptions optimizer;
  double clip_norm = 0;      // global gradient norm; 0 = no clipping
  double ema_decay = 0;      // of the weights' moving average; 0 = none
  bool autocast_bf16 = false;
  uint64_t seed = 0;
};

// Puts a module's buffers back at the end of the scope unless keep() was called: batch norm updates its statistics in
// the forward pass already, before it is known whether the step is finite.
class BufferGuard {
 public:
  explicit BufferGuard(torch::nn::Module& module);
  ~BufferGuard();
  BufferGuard(const BufferGuard&) = delete;
  void keep() { live_.clear(); }

 private:
  std::vector<at::Tensor> live_, saved_;
};

// What a backward pass finds, on the device; nothing has waited for it.
struct Slope {
  at::Tensor numbers;                 // [2 + others] fp32: the loss, the global L2 norm of its gradient, and what else was asked for
  std::vector<at::Tensor> gradients;  // of each weight that is trained, with its strides

  // What a RecordedFunction hands out, and back from there.
  std::vector<at::Tensor> list() const;
  static Slope of(const std::vector<at::Tensor>& list) { return {list.at(0), {list.begin() + 1, list.end()}}; }
};

// Of a step, on the host: the loss, the global L2 norm of its gradient before clipping, and what else was asked for.
struct Descent {
  double loss, gradient_norm;
  std::vector<double> others;
};

class TrainingState {
 public:
  // `ema` has the same structure as `module`, or is null when there is no moving average.
  TrainingState(torch::nn::Module& module, torch::nn::Module* ema, const TrainingOptions& options);

  // Backward. `others`: numbers on the same device to be read with its own.
  Slope slope(const at::Tensor& loss, const std::vector<at::Tensor>& others = {}) const;
  // Clip, optimizer step, moving average.
  // Throws Error "numeric" before any weight is changed when loss or gradient is not finite.
  Descent descend(const Slope& slope, double learning_rate, uint64_t step);
  // Its two halves, for steps of several networks of which all or none change: what waits and throws, and what changes weights.
  static Descent check(const Slope& slope, uint64_t step);
  // The gradients are clipped in place.
  void update(const Slope& slope, const Descent& descent, double learning_rate, uint64_t step);

  // Weights ("model."), moving average ("ema.") and optimizer ("optimizer.") by name, aliasing the live tensors.
  NamedTensors tensors() const;
  // Writes saved tensors into the live ones; every name and shape must match.
  void restore(const NamedTensors& saved, const std::string& path);

 private:
  void update_ema(uint64_t step);

  torch::nn::Module& module_;
  torch::nn::Module* ema_;
  TrainingOptions options_;
  Optimizer optimizer_;
};

// Writes saved tensors into live ones; every name and shape must match, or nothing is written. Throws Error "weights".
void restore_tensors(const NamedTensors& live, const NamedTensors& saved, const std::string& path);

}  // namespace sparring
