// Inverted residual blocks (Sandler et al. 2018, arXiv 1801.04381) with squeeze and excitation (Hu et al. 2017, arXiv
// 1709.01507), and stages of them: what MobileNetV3 and EfficientNet share. Key names of timm:
// conv_pw, bn1, conv_dw, bn2, se.conv_reduce, se.conv_expand, conv_pwl, bn3.
#pragma once

#include <vector>

#include <torch/torch.h>

#include "models/depthwise_conv.h"
#include "models/following_norm.h"

namespace sparring {

using Activation = at::Tensor (*)(const at::Tensor&);

struct InvertedResidualOptions {
  TORCH_ARG(int64_t, in);
  TORCH_ARG(int64_t, expanded);  // channels of the depthwise convolution; equal to `in`, there is no expansion
  TORCH_ARG(int64_t, out);
  TORCH_ARG(int64_t, kernel) = 3;
  TORCH_ARG(int64_t, stride) = 1;
  TORCH_ARG(Activation, activation) = at::relu;
  TORCH_ARG(int64_t, squeezed) = 0;  // hidden channels of squeeze and excitation; 0: without
  TORCH_ARG(Activation, squeeze_activation) = at::relu;
  TORCH_ARG(Activation, gate) = at::sigmoid;
};

struct InvertedResidualImpl : torch::nn::Module {
  explicit InvertedResidualImpl(const InvertedResidualOptions& options);
  at::Tensor forward(const at::Tensor& x);  // [B, in, H, W] -> [B, out, H / stride, W / stride]

  InvertedResidualOptions options;
  torch::nn::Conv2d expand{nullptr}, project{nullptr};
  DepthwiseConv2d depthwise{nullptr};
  FollowingNorm expand_norm{nullptr}, depthwise_norm{nullptr}, project_norm{nullptr};
  torch::nn::Conv2d squeeze{nullptr}, excite{nullptr};
};
TORCH_MODULE(InvertedResidual);

// A row of an architecture's table: `repeats` blocks, of which the first has the stride.
struct BlockRow {
  int64_t repeats, kernel, stride;
  double expansion;  // 1: no expansion convolution, timm's depthwise-separable block
  int64_t channels;  // at width 1
  Activation activation;
  bool squeeze;
};

// How a family does squeeze and excitation.
struct SqueezeStyle {
  int64_t (*squeezed)(int64_t in, int64_t expanded);
  Activation activation, gate;
};

// A multiple of 8 near `channels`, at least 8, and no more than 10 % below.
int64_t round_channels(double channels);

// Convolution without bias that keeps the size at stride 1, as everywhere in these networks.
torch::nn::Conv2d same_convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride);

// One Sequential per stage of the table. `channels` are those of the input, and afterwards those of the output.
std::vector<torch::nn::Sequential> make_stages(const std::vector<std::vector<BlockRow>>& table, double width,
                                               const SqueezeStyle& style, int64_t& channels);

// Initialisation for training from scratch, as in timm and the original: normal (convolutions) and uniform (linear), by
// fan out.
void init_by_fan_out(torch::nn::Module& network);

}  // namespace sparring
