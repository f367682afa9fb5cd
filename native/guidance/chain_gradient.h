// The gradient of the objective through a whole run of the sampler, with respect to what the run starts from and to what the
// generator is told at each of its steps.
//
//   J = sum_j w_j objective(x0_j),   j over the last predictions of the run, of which the last is the image that comes out
//
// Only as many steps as fit in memory keep their activations; the others are run again (gradient checkpointing).
#pragma once

#include <vector>

#include "guidance/judgement.h"
#include "guidance/sampling_options.h"
#include "job.h"

namespace sparring {

// A run and what judges its images. The sampler must not remember earlier steps, which are run again.
struct Chain {
  Denoiser& denoiser;
  const Opponents& opponents;
  Sampler& sampler;
  const at::Tensor& classes;  // [B] int64
  const SamplingOptions& sampling;
  const JobContext& job;
};

// Where it is.
struct ChainPoint {
  at::Tensor z;            // what the run starts with, [B, C, h, w]
  ConditionShifts shifts;  // of each step
};

// Conditions whose shifts get gradients.
struct MovedConditions {
  bool of_class = false, of_null = false;
  bool any() const { return of_class || of_null; }
};

enum class PredictionWeights { linear, equal };  // 1, 2, ..., k in the order of the run, or 1 each; they sum to 1

struct ChainLoss {
  JudgingOptions judging;  // its path is through the U-Net, and not pooled
  int64_t last_predictions = 1;
  PredictionWeights weights = PredictionWeights::linear;

  double weight(int64_t j) const;  // of prediction j of them, 0 the first in the run
};

struct ChainGradient {
  at::Tensor images;       // that come out, in -1..1, by the generator's own decoder: [B, 3, H, W]
  at::Tensor score;        // objective of these images, whole, [B]
  at::Tensor objective;    // J, [B]
  at::Tensor gradient;     // dJ/dz, [B, C, h, w]
  ConditionShifts shifts;  // likewise of the shifts that were asked for
  at::Tensor conditions;   // of the sum of J with respect to the denoiser's conditions(), where those ask for it
};

// Throws Error "config" for a chain that cannot be differentiated in this way.
void check_chain(const ChainLoss& loss, const Sampler& sampler);

// draws.step counts the gradients that were taken before.
ChainGradient chain_gradient(const Chain& chain, const ChainLoss& loss, const ChainPoint& point, MovedConditions moved, int64_t segment_steps, const StepDraws& draws);

// The images that come out and their score alone, without gradients.
ChainGradient run_chain(const Chain& chain, const Objective& objective, const ChainPoint& point);

// How many steps of the chain fit in `memory_bytes` at once; all of them when no checkpoint is needed.
int64_t steps_per_segment(const Chain& chain, int64_t memory_bytes);

}  // namespace sparring
