// Scaled dot-product attention (Vaswani et al. 2017): softmax(q k^T / sqrt(d)) v.
#pragma once

#include <torch/torch.h>

namespace sparring {

// q: [B, heads, queries, d]; k, v: [B, heads, keys, d] -> [B, heads, queries, d]; `causal`: a token attends to itself and
// those before it. On CUDA ATen chooses among its fused kernels. On the CPU short sequences take plain matrix products:
// the flash kernel's backward pass costs more there than all convolutions of a small U-Net together (measured; see
// benchmarks/results).
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal = false);

// The same with a learned bias added to the scores, [heads, queries, keys].
at::Tensor biased_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias);

// Without a bias and with the heads side by side: q [B, queries, C]; k, v [B, keys, C] -> [B, queries, C], C a multiple of `heads`.
at::Tensor multi_head_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads);

}  // namespace sparring
