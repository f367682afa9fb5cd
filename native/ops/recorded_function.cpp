#include "ops/recorded_function.h"

#include <map>

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace sparring {
namespace {

void wait_for(const c10::Stream& first, const c10::Stream& second) {
  c10::Event event(first.device_type());
  event.record(first);
  event.block(second);
}

// The same each time: the allocator keeps memory apart for each stream.
c10::Stream recording_stream(at::Device device) {
  static std::map<c10::DeviceIndex, c10::Stream> streams;  // the engine's thread alone records
  const c10::impl::VirtualGuardImpl gpus(device.type());
  if (!device.has_index()) device = gpus.getDevice();
  const auto known = streams.find(device.index());
  return known != streams.end() ? known->second : streams.emplace(device.index(), gpus.getStreamFromGlobalPool(device)).first->second;
}

c10::Stream current_stream(at::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

}  // namespace

RecordingStream::RecordingStream(at::Device device) : before_(current_stream(recording_stream(device).device())) {
  const auto stream = recording_stream(device);
  wait_for(before_, stream);
  guard_.emplace(stream);
}

RecordingStream::~RecordingStream() {
  try {
    wait_for(guard_->current_stream(), before_);
  } catch (const std::exception&) {
    // The device has failed, and whoever uses it next is told so.
  }
}

void RecordedFunction::record() {
  auto graph = make_graph();
  try {
    graph->record([&] { outputs_ = function_(inputs_); });
    graph_ = std::move(graph);
  } catch (const c10::OutOfMemoryError&) {
    outputs_.clear();
    fits_ = false;
  }
}

std::vector<at::Tensor> RecordedFunction::operator()(const std::vector<at::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  const bool first = inputs_.empty();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (first) inputs_.push_back(at::empty(inputs[i].sizes(), inputs[i].options().device(device_)));
    inputs_[i].copy_(inputs[i], /*non_blocking=*/true);
  }
  if (!first && !graph_ && fits_) record();
  if (!graph_) return function_(inputs_);
  graph_->replay();
  std::vector<at::Tensor> results;  // the next replay writes to the same memory
  for (const auto& output : outputs_) results.push_back(output.clone());
  return results;
}

}  // namespace sparring
