// From the processor to a GPU.
#pragma once

#include <torch/torch.h>

namespace sparring {

// Through pinned memory, so that neither waits for the other: a copy from any other memory first waits for all that the GPU has been given to do.
inline at::Tensor upload(const at::Tensor& tensor, at::Device device) {
  return device.is_cuda() && tensor.is_cpu() ? tensor.pin_memory().to(device, /*non_blocking=*/true) : tensor.to(device);
}

}  // namespace sparring
