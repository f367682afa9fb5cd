// Scaled dot-product attention (Vaswani et al. 2017): softmax(q k^T / sqrt(d)) v.
#pragma once

#include <torch/torch.h>

namespace sparring {

// q, k, v: [B, heads, tokens, d] -> [B, heads, tokens, d]; `causal`: a token attends to itself and those before it. On
// CUDA ATen chooses among its fused kernels. On the CPU short sequences take plain matrix products: the flash kernel's
// backward pass costs more there than all convolutions of a small U-Net together (measured; see benchmarks/results).
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal = false);

}  // namespace sparring
