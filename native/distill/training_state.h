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

// Of a step: the loss, the global L2 norm of its gradient before clipping, and what else was asked for.
struct Descent {
  double loss, gradient_norm;
  std::vector<double> others;
};

class TrainingState {
 public:
  // `ema` has the same structure as `module`, or is null when there is no moving average.
  TrainingState(torch::nn::Module& module, torch::nn::Module* ema, const TrainingOptions& options);

  // Backward, clip, optimizer step, moving average.
  // Throws Error "numeric" before any weight is changed when loss or gradient is not finite.
  // `others`: numbers on the same device to be read with these two, before the update.
  Descent apply(const at::Tensor& loss, double learning_rate, uint64_t step, const std::vector<at::Tensor>& others = {});
  // The two halves of apply(), for steps of several networks of which all or none change: what throws, and what changes weights.
  Descent gradients(const at::Tensor& loss, uint64_t step, const std::vector<at::Tensor>& others = {});
  void update(double learning_rate, uint64_t step);

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
