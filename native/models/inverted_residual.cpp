#include "models/inverted_residual.h"

#include <algorithm>
#include <cmath>

#include "models/nested.h"

namespace sparring {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;

int64_t round_channels(double channels) {
  constexpr int64_t divisor = 8;
  const auto rounded = std::max(divisor, static_cast<int64_t>(channels + divisor / 2) / divisor * divisor);
  return rounded < 0.9 * channels ? rounded + divisor : rounded;
}

namespace {

Conv2dOptions same_options(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  return Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false);
}

}  // namespace

Conv2d same_convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride) { return Conv2d(same_options(in, out, kernel, stride)); }

// ---------------------------------------------------------------- block

InvertedResidualImpl::InvertedResidualImpl(const InvertedResidualOptions& options) : options(options) {
  const auto in = options.in(), expanded = options.expanded(), out = options.out();
  const bool expands = expanded != in;
  if (expands) {
    expand = register_module("conv_pw", same_convolution(in, expanded, 1, 1));
    expand_norm = register_module("bn1", FollowingNorm(expand));
  }
  depthwise = register_module("conv_dw", DepthwiseConv2d(same_options(expanded, expanded, options.kernel(), options.stride()).groups(expanded)));
  depthwise_norm = register_module(expands ? "bn2" : "bn1", FollowingNorm(depthwise));
  if (options.squeezed() > 0) {
    squeeze = register_nested(*this, {"se", "conv_reduce"}, Conv2d(Conv2dOptions(expanded, options.squeezed(), 1)));
    excite = register_nested(*this, {"se", "conv_expand"}, Conv2d(Conv2dOptions(options.squeezed(), expanded, 1)));
  }
  project = register_module(expands ? "conv_pwl" : "conv_pw", same_convolution(expanded, out, 1, 1));
  project_norm = register_module(expands ? "bn3" : "bn2", FollowingNorm(project));
}

at::Tensor InvertedResidualImpl::forward(const at::Tensor& x) {
  const auto activation = options.activation();
  auto h = expand ? activation(expand_norm(expand(x))) : x;  // [B, expanded, H, W]
  h = activation(depthwise_norm(depthwise(h)));              // [B, expanded, H / stride, W / stride]
  if (squeeze) {
    const auto pooled = h.mean(at::IntArrayRef{2, 3}, /*keepdim=*/true);  // [B, expanded, 1, 1]
    h = h * options.gate()(excite(options.squeeze_activation()(squeeze(pooled))));
  }
  h = project_norm(project(h));
  return options.stride() == 1 && options.in() == options.out() ? h + x : h;
}

// ---------------------------------------------------------------- network

std::vector<torch::nn::Sequential> make_stages(const std::vector<std::vector<BlockRow>>& table, double width,
                                               const SqueezeStyle& style, int64_t& channels) {
  std::vector<torch::nn::Sequential> stages;
  for (const auto& rows : table) {
    torch::nn::Sequential stage;
    for (const auto& row : rows) {
      for (int64_t i = 0; i < row.repeats; ++i) {
        const auto in = channels;
        const auto expanded = round_channels(in * row.expansion);
        channels = round_channels(row.channels * width);
        stage->push_back(InvertedResidual(InvertedResidualOptions()
                                              .in(in)
                                              .expanded(expanded)
                                              .out(channels)
                                              .kernel(row.kernel)
                                              .stride(i == 0 ? row.stride : 1)
                                              .activation(row.activation)
                                              .squeezed(row.squeeze ? style.squeezed(in, expanded) : 0)
                                              .squeeze_activation(style.activation)
                                              .gate(style.gate)));
      }
    }
    stages.push_back(stage);
  }
  return stages;
}

void init_by_fan_out(torch::nn::Module& network) {
  torch::NoGradGuard no_grad;
  for (auto& module : network.modules(/*include_self=*/false)) {
    if (auto* conv = module->as<Conv2d>()) {
      const auto& weight = conv->weight;  // [out, in / groups, kernel, kernel]
      const auto fan_out = weight.size(0) / conv->options.groups() * weight.size(2) * weight.size(3);
      weight.normal_(0, std::sqrt(2.0 / fan_out));
      if (conv->bias.defined()) conv->bias.zero_();
    } else if (auto* linear = module->as<torch::nn::Linear>()) {
      const auto range = 1 / std::sqrt(static_cast<double>(linear->weight.size(0)));
      linear->weight.uniform_(-range, range);
      linear->bias.zero_();
    }
  }
}

}  // namespace sparring
