#include "ops/cuda/registration.h"

#include <memory>
#include <string>

#include <cuda_runtime_api.h>
#include <torch/version.h>

#include "ops/cuda_interface.h"

namespace sparring::cuda {
namespace {

constexpr int kLeastCapability = 75;  // of the architectures in CMakeLists.txt

std::string minor_of(const std::string& version) { return version.substr(0, version.find('.', version.find('.') + 1)); }

// Empty, or why the GPUs here cannot run the kernels.
std::string unfit_gpus() {
  int count = 0;
  if (const auto error = cudaGetDeviceCount(&count); error != cudaSuccess) return std::string("no GPU can be used: ") + cudaGetErrorString(error);
  for (int device = 0; device < count; ++device) {
    int major = 0, minor = 0;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
    if (10 * major + minor < kLeastCapability) {
      return "GPU " + std::to_string(device) + " has compute capability " + std::to_string(major) + "." + std::to_string(minor) + "; 7.5 or newer is needed";
    }
  }
  return "";
}

// Empty, or why not.
std::string register_all(const std::string& libtorch, int interface) {
  if (interface != kCudaInterface) {
    return "it is of another build: interface " + std::to_string(kCudaInterface) + ", the addon's is " + std::to_string(interface);
  }
  if (minor_of(libtorch) != minor_of(TORCH_VERSION)) return "it was built for LibTorch " TORCH_VERSION ", not " + libtorch;
  if (const auto unfit = unfit_gpus(); !unfit.empty()) return unfit;
  auto kernels = std::make_unique<torch::Library>(torch::Library::IMPL, "sparring", c10::DispatchKey::CUDA, __FILE__, __LINE__);
  auto operations = std::make_unique<torch::Library>(torch::Library::FRAGMENT, "sparring", std::nullopt, __FILE__, __LINE__);
  register_group_norm_silu(*kernels);
  register_graphs(*operations);
  // While these live the registrations hold: to the end, as other threads may still use them when statics are destroyed.
  kernels.release();
  operations.release();
  return "";
}

}  // namespace
}  // namespace sparring::cuda

extern "C" __attribute__((visibility("default"))) const char* sparring_cuda_register(const char* libtorch, int interface) {
  static auto* problem = new std::string;
  static bool registered = false;
  if (registered) return nullptr;
  try {
    *problem = sparring::cuda::register_all(libtorch, interface);
  } catch (const std::exception& error) {
    const std::string text = error.what();
    *problem = text.substr(0, text.find('\n'));
  }
  registered = problem->empty();
  return registered ? nullptr : problem->c_str();
}
