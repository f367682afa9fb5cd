// What inspections compare operations with.
#pragma once

#include <vector>

#include <ATen/Parallel.h>
#include <torch/torch.h>

namespace sparring::node {

// |found - expected| / |expected| of each
inline at::Tensor relative_errors(const std::vector<at::Tensor>& found, const std::vector<at::Tensor>& expected) {
  std::vector<at::Tensor> errors;
  for (size_t i = 0; i < found.size(); ++i) errors.push_back((found[i].to(at::kDouble) - expected[i]).norm() / expected[i].norm());
  return at::stack(errors);
}

// Another number of threads while it lives.
class ThreadsGuard {
 public:
  explicit ThreadsGuard(int threads) : before_(at::get_num_threads()) { at::set_num_threads(threads); }
  ~ThreadsGuard() { at::set_num_threads(before_); }
  ThreadsGuard(const ThreadsGuard&) = delete;
  ThreadsGuard& operator=(const ThreadsGuard&) = delete;

 private:
  int before_;
};

}  // namespace sparring::node
