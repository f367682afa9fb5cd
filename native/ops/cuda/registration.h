// What the parts of libsparring_cuda.so give to LibTorch's dispatcher when they are asked to.
#pragma once

#include <torch/library.h>

namespace sparring::cuda {

void register_group_norm_silu(torch::Library& kernels);  // of operations that the core has declared
void register_graphs(torch::Library& operations);        // declared here

}  // namespace sparring::cuda
