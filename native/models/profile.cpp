#include "models/profile.h"

#include <algorithm>
#include <map>
#include <set>

#include <ATen/record_function.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

namespace sparring {
namespace {

// ---------------------------------------------------------------- memory

// Memory that this thread takes and gives back while it is installed.
struct MemoryMeter : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) override {
    current += bytes;
    peak = std::max(peak, current);
  }
  bool memoryProfilingEnabled() const override { return true; }

  int64_t current = 0, peak = 0;
};

// ---------------------------------------------------------------- operations

using Storage = const c10::StorageImpl*;
using Shape = std::vector<int64_t>;

Storage storage_of(const at::Tensor& tensor) { return tensor.defined() && tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr; }

// The tensors among the arguments or results of an operation, those in lists too.
std::vector<at::Tensor> tensors_in(c10::ArrayRef<c10::IValue> values) {
  std::vector<at::Tensor> tensors;
  for (const auto& value : values) {
    if (value.isTensor()) tensors.push_back(value.toTensor());
    if (!value.isTensorList()) continue;
    const auto list = value.toTensorVector();
    tensors.insert(tensors.end(), list.begin(), list.end());
  }
  return tensors;
}

// "aten::_conv2d" -> "conv2d"
std::string short_name(const std::string& name) {
  const auto begin = name.find("::");
  return name.substr(begin == name.npos ? 0 : name.find_first_not_of('_', begin + 2));
}

// Multiply-adds times two of an operation on inputs of these shapes; 0 for what is not counted.
int64_t flops_of(const std::string& operation, const std::vector<Shape>& inputs, const at::Tensor& output) {
  const auto all = [](const Shape& shape) { return c10::multiply_integers(shape); };
  const auto last = [](const Shape& shape) { return shape.empty() ? 1 : shape.back(); };
  if (operation == "conv2d" && inputs.size() > 1) return 2 * output.numel() * all(inputs[1]) / inputs[1][0];
  if (operation == "conv_transpose2d" && inputs.size() > 1) return 2 * all(inputs[0]) * all(inputs[1]) / inputs[1][0];
  if ((operation == "linear" || operation == "matmul" || operation == "mm" || operation == "bmm") && inputs.size() > 1) return 2 * output.numel() * last(inputs[0]);
  if ((operation == "addmm" || operation == "baddbmm") && inputs.size() > 2) return 2 * output.numel() * last(inputs[1]);
  if (operation == "scaled_dot_product_attention" && inputs.size() > 2) {
    const auto &q = inputs[0], &k = inputs[1], &v = inputs[2];  // [..., L, E], [..., S, E], [..., S, D]
    return 2 * all(q) * k[k.size() - 2] + 2 * (all(q) / last(q)) * all({v.end() - 2, v.end()});
  }
  return 0;
}

// ---------------------------------------------------------------- the recorder

// One operation while it runs, operations within it included.
struct Call : at::ObserverContext {
  std::string operation;
  std::vector<Shape> shapes;
  std::vector<Storage> storages;
  bool counted = false;  // its FLOPs, or those of an operation that it is part of, count as a whole
};

class Recorder {
 public:
  explicit Recorder(const torch::nn::Module& module) {
    for (const auto& item : module.named_parameters()) weights_[storage_of(item.value())] = {item.key(), item.value().numel()};
    for (const auto& item : module.named_buffers()) weights_.try_emplace(storage_of(item.value()), item.key(), 0);
    current_ = this;
    callback_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback(start, end).needsInputs(true).needsOutputs(true).scopes({at::RecordScope::FUNCTION}));
  }
  ~Recorder() {
    at::removeCallback(callback_);
    current_ = nullptr;
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  std::vector<LayerProfile> layers;
  int64_t flops = 0;

 private:
  struct Weight {
    std::string name;
    int64_t count = 0;
  };

  static std::unique_ptr<at::ObserverContext> start(const at::RecordFunction& function) {
    auto call = std::make_unique<Call>();
    call->operation = short_name(function.name());
    for (const auto& tensor : tensors_in(function.inputs())) {
      call->shapes.push_back(tensor.sizes().vec());
      call->storages.push_back(storage_of(tensor));
    }
    auto& running = current_->running_;
    call->counted = !running.empty() && (running.back()->counted || is_counted(running.back()->operation));
    running.push_back(call.get());
    return call;
  }

  static void end(const at::RecordFunction& function, at::ObserverContext* context) {
    auto& recorder = *current_;
    const auto& call = *static_cast<Call*>(context);
    recorder.running_.pop_back();
    const auto outputs = tensors_in(function.outputs());
    if (!outputs.empty() && !call.counted) recorder.pending_flops_ += flops_of(call.operation, call.shapes, outputs[0]);
    if (recorder.running_.empty()) recorder.add(call, outputs);
  }

  static bool is_counted(const std::string& operation) {
    static const std::set<std::string> names{"conv2d", "conv_transpose2d", "linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "scaled_dot_product_attention"};
    return names.contains(operation);
  }

  // An operation that the network called itself.
  void add(const Call& call, const std::vector<at::Tensor>& outputs) {
    LayerProfile layer{.name = owner_of(call), .operation = call.operation, .flops = std::exchange(pending_flops_, 0)};
    flops += layer.flops;
    if (outputs.empty() || (layer.name.empty() && layer.flops == 0)) return;
    const auto is_input = [&](const at::Tensor& tensor) { return std::ranges::count(call.storages, storage_of(tensor)) > 0; };
    const bool is_view = is_input(outputs[0]) && layer.flops == 0;
    if (is_view && weights_.contains(storage_of(outputs[0]))) return;  // of a weight, which is used later
    for (const auto storage : call.storages) layer.parameters += first_use(storage);
    layer.output = outputs[0].sizes().vec();
    for (const auto& output : outputs) layer.bytes += is_input(output) ? 0 : static_cast<int64_t>(output.nbytes());
    const bool has_weights = !layer.name.empty();
    if (!has_weights && !layers.empty()) layer.name = after_weights_ ? without_last(layers.back().name) : layers.back().name;
    after_weights_ = has_weights;
    merge_or_append(std::move(layer));
  }

  // A linear layer may be a product and a sum, attention two products.
  void merge_or_append(LayerProfile layer) {
    const bool continues = !layers.empty() && layers.back().name == layer.name;
    if (!continues) return layers.push_back(std::move(layer));
    auto& before = layers.back();
    if (layer.flops > 0 && before.flops == 0) before.operation = layer.operation;
    before.output = layer.output;
    before.parameters += layer.parameters;
    before.flops += layer.flops;
    before.bytes += layer.bytes;
  }

  // The module that the first weight of the operation belongs to, or a weight of the network itself.
  std::string owner_of(const Call& call) const {
    for (const auto storage : call.storages) {
      const auto weight = weights_.find(storage);
      if (weight == weights_.end()) continue;
      const auto owner = without_last(weight->second.name);
      return owner.empty() ? weight->second.name : owner;
    }
    return {};
  }

  static std::string without_last(const std::string& name) {
    const auto dot = name.rfind('.');
    return dot == name.npos ? "" : name.substr(0, dot);
  }

  int64_t first_use(Storage storage) {
    const auto weight = weights_.find(storage);
    return weight == weights_.end() ? 0 : std::exchange(weight->second.count, 0);
  }

  static thread_local Recorder* current_;
  at::CallbackHandle callback_;
  std::map<Storage, Weight> weights_;
  std::vector<const Call*> running_;
  int64_t pending_flops_ = 0;
  bool after_weights_ = false;  // the last of the layers has weights
};

thread_local Recorder* Recorder::current_ = nullptr;

}  // namespace

Profile profile(const torch::nn::Module& module, const std::function<at::Tensor()>& forward) {
  Profile result;
  {
    const torch::NoGradGuard no_grad;
    const auto meter = std::make_shared<MemoryMeter>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
    Recorder recorder(module);
    forward();
    result.layers = std::move(recorder.layers);
    result.flops = recorder.flops;
    result.peak_bytes = meter->peak;
  }
  const auto meter = std::make_shared<MemoryMeter>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
  const auto output = forward();
  result.saved_bytes = meter->current;
  return result;
}

}  // namespace sparring
