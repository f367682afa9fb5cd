// The layers that U-Nets and autoencoders are made of.
#pragma once

#include <torch/torch.h>

#include "models/freezable_conv.h"
#include "ops/group_norm_silu.h"

namespace sparring {

inline torch::nn::GroupNorm make_group_norm(int64_t groups, int64_t channels, double eps) {
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, channels).eps(eps));
}

inline torch::nn::Conv2d conv3x3(int64_t in, int64_t out, int64_t stride = 1, int64_t padding = 1) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).stride(stride).padding(padding));
}

// The same of stride 1, which is faster in a frozen network.
inline FreezableConv2d freezable_conv3x3(int64_t in, int64_t out) {
  return FreezableConv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1));
}

inline torch::nn::Conv2d conv1x1(int64_t in, int64_t out) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 1));
}

// What `conv` takes: its type, channels-last.
inline at::Tensor input_of(const torch::nn::Conv2d& conv, const at::Tensor& x) {
  return x.to(conv->weight.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
}

// [B, C, H, W] -> the same, with SiLU after the norm if asked for
inline at::Tensor normalise(const torch::nn::GroupNorm& norm, const at::Tensor& x, bool silu) {
  return group_norm_silu(x, norm->options.num_groups(), norm->weight, norm->bias, norm->options.eps(), silu);
}

}  // namespace sparring
