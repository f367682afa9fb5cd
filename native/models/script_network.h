// A network of a TorchScript file, used as it is: gradients reach its input only. LibTorch's interpreter runs it.
#pragma once

#include <memory>
#include <string>

#include <torch/torch.h>

namespace sparring {

class ScriptNetwork {
 public:
  // Throws Error "io" if the file cannot be read, "weights" if it is no TorchScript of a network that takes images of
  // `size` pixels and gives `outputs` numbers for each, whatever else is in the batch.
  ScriptNetwork(const std::string& path, at::Device device, int64_t size, int64_t outputs);
  ~ScriptNetwork();

  // x: [B, 3, size, size] fp32 -> [B, outputs] fp32. Convolutions and matrix products are done in `dtype`, unless the
  // network fails in it: then in fp32.
  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype);

  int64_t parameter_count() const;

 private:
  struct Module;  // torch::jit::Module, whose header is large
  at::Tensor run(const at::Tensor& x, bool bf16) const;
  void check(int64_t size, int64_t outputs) const;
  [[noreturn]] void fail(const std::string& what, const std::string& hint) const;

  std::string path_;
  at::Device device_;
  std::unique_ptr<Module> module_;
  bool bf16_ = true;  // until it has failed
};

}  // namespace sparring
