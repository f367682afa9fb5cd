// What the loader and libsparring_cuda.so agree on; includes nothing, as the loader has no LibTorch.
#pragma once

namespace sparring {

// Raised whenever the operations that the core and libsparring_cuda.so exchange change, so that an old library is not used.
constexpr int kCudaInterface = 1;

// extern "C" const char* sparring_cuda_register(const char* libtorch, int interface): gives the kernels to the LibTorch that
// is open, of version `libtorch`. Null, or why it was not done, one line that lives on.
using RegisterCuda = const char* (*)(const char* libtorch, int interface);
constexpr auto kRegisterCuda = "sparring_cuda_register";

}  // namespace sparring
