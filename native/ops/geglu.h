// The gated linear unit with GELU, Shazeer 2020 (arXiv 2002.05202).
#pragma once

#include <torch/torch.h>

namespace sparring {

// x: [..., 2 C], values and then their gates -> values * gelu(gates), [..., C]
at::Tensor geglu(const at::Tensor& x);

}  // namespace sparring
