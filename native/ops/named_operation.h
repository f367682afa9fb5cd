// What a profiler sees of an operation that is none of PyTorch's.
#pragma once

#include <vector>

#include <ATen/record_function.h>
#include <torch/torch.h>

namespace sparring {

// While it lives, the operation runs.
class NamedOperation {
 public:
  // inputs: in the order of PyTorch's operation of that name, undefined where there is none
  NamedOperation(const char* name, const std::vector<at::Tensor>& inputs) : record_(at::RecordScope::FUNCTION) {
    if (!record_.isActive()) return;
    for (const auto& input : inputs) inputs_.push_back(input.defined() ? c10::IValue(input) : c10::IValue());
    record_.before(name, c10::ArrayRef<const c10::IValue>(inputs_.data(), inputs_.size()));
  }
  NamedOperation(const NamedOperation&) = delete;
  NamedOperation& operator=(const NamedOperation&) = delete;

 private:
  std::vector<c10::IValue> inputs_;  // which record_ refers to
  at::RecordFunction record_;
};

}  // namespace sparring
