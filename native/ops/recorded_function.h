// A function of tensors whose work on a GPU is recorded as a graph and then launched as a whole.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <c10/core/StreamGuard.h>
#include <torch/torch.h>

#include "ops/graph.h"

namespace sparring {

// While it lives, work of this thread on a GPU goes to the stream that is kept for recording, after all that came before;
// what comes after it waits for it.
class RecordingStream {
 public:
  explicit RecordingStream(at::Device device);
  ~RecordingStream();
  RecordingStream(const RecordingStream&) = delete;
  RecordingStream& operator=(const RecordingStream&) = delete;

 private:
  c10::Stream before_;
  std::optional<c10::StreamGuard> guard_;
};

// A function of tensors that launches the same work whenever their shapes are the same, and takes nothing else that changes
// from call to call; their types and layouts never do. What else it reads stays where it is while there is a recording.
// A first call runs it, which prepares what is made on demand; the second in a row with the same shapes records it. Calls with
// other shapes are run from then on, and all of them, with a warning, where it cannot be recorded. A recording keeps the memory of a
// call. Needs a RecordingStream around all calls.
class RecordedFunction {
 public:
  using Function = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& inputs)>;
  RecordedFunction(Function function, at::Device device) : function_(std::move(function)), device_(device) {}

  // Inputs on the host are brought to the device; undefined ones are handed on. The results hold until the next call.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs);
  bool is_recorded() const { return graph_ != nullptr; }

 private:
  bool fits(const std::vector<at::Tensor>& inputs) const;
  std::vector<at::Tensor> places_for(const std::vector<at::Tensor>& inputs) const;
  void record();

  Function function_;
  at::Device device_;
  std::vector<at::Tensor> inputs_, outputs_;  // at fixed addresses
  std::unique_ptr<Graph> graph_;
  bool can_record_ = true;  // until it was tried in vain
};

}  // namespace sparring
