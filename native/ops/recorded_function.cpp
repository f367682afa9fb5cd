#include "ops/recorded_function.h"

#include <algorithm>
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

// Whether they have the shapes of the inputs that are kept.
bool RecordedFunction::fits(const std::vector<at::Tensor>& inputs) const {
  const auto fit = [](const at::Tensor& given, const at::Tensor& kept) { return given.defined() == kept.defined() && (!given.defined() || given.sizes() == kept.sizes()); };
  return std::equal(inputs.begin(), inputs.end(), inputs_.begin(), inputs_.end(), fit);
}

std::vector<at::Tensor> RecordedFunction::places_for(const std::vector<at::Tensor>& inputs) const {
  std::vector<at::Tensor> places;
  for (const auto& input : inputs) places.push_back(input.defined() ? at::empty_like(input, input.options().device(device_)) : at::Tensor());
  return places;
}

void RecordedFunction::record() {
  try {
    auto graph = make_graph();
    graph->record([&] { outputs_ = function_(inputs_); });
    graph_ = std::move(graph);
  } catch (const c10::Error& error) {  // if it is the function that fails, it says so when it is run
    TORCH_WARN("A step could not be recorded as a CUDA graph and is launched piece by piece, more slowly: ", error.what_without_backtrace());
    outputs_.clear();
    can_record_ = false;
  }
}

std::vector<at::Tensor> RecordedFunction::operator()(const std::vector<at::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  const bool again = fits(inputs);
  auto places = again ? inputs_ : places_for(inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined()) places[i].copy_(inputs[i], /*non_blocking=*/true);
  }
  if (!graph_) inputs_ = places;
  if (again && !graph_ && can_record_) record();
  if (!again || !graph_) return function_(places);
  graph_->replay();
  return outputs_;
}

}  // namespace sparring
