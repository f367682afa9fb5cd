// The steps of a run on a GPU as CUDA graphs: what is the same in each of them (U-Net, prediction, and where it is guided
// decoder, classifiers, score, gradient) is launched as a whole. The same bits come out.
#pragma once

#include <map>

#include "guidance/step_guidance.h"
#include "ops/recorded_function.h"

namespace sparring {

// For the runs of one call, while no weights change. To be used within a RecordingStream.
class RecordedSteps {
 public:
  // Whether all that such steps do can be recorded: on a GPU for which there are graphs, without cutouts, which are drawn on
  // the host, and without TorchScript, whose interpreter may do anything.
  static bool can_record(const Denoiser& denoiser, const Opponents& opponents, const StepGuidanceOptions* guidance);

  // `guidance` may be null.
  RecordedSteps(Denoiser& denoiser, const Opponents& opponents, const StepGuidanceOptions* guidance, double guidance_scale, at::ScalarType dtype);
  RecordedSteps(const RecordedSteps&) = delete;
  RecordedSteps& operator=(const RecordedSteps&) = delete;

  // What guided_prediction() gives.
  Prediction operator()(const at::Tensor& x_t, const SamplingStep& step, const at::Tensor& classes);
  // Graphs that there are.
  int64_t count() const;

 private:
  RecordedFunction& function(bool guided);

  Denoiser& denoiser_;
  const Opponents& opponents_;
  const StepGuidanceOptions* guidance_;
  double guidance_scale_;
  at::ScalarType dtype_;
  int64_t batch_ = 0;                         // that they are for
  std::map<bool, RecordedFunction> functions_;  // by whether the step is guided
};

}  // namespace sparring
