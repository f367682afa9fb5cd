#include "models/tiny_vit.h"

#include <string>

#include "models/depthwise_conv.h"
#include "models/following_norm.h"
#include "models/nested.h"
#include "models/transformer_block.h"
#include "ops/attention.h"
#include "ops/linear.h"

namespace sparring {
namespace {

using torch::nn::Conv2dOptions;
using torch::nn::LayerNorm;
using torch::nn::LayerNormOptions;
using torch::nn::Linear;

constexpr int64_t kExpansion = 4;  // of the convolutional blocks and of the MLPs

// ---------------------------------------------------------------- convolutions

struct ConvNormImpl : torch::nn::Module {
  ConvNormImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, int64_t groups = 1) {
    conv = register_module("conv", DepthwiseConv2d(Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(false)));
    bn = register_module("bn", FollowingNorm(conv));
  }
  at::Tensor forward(const at::Tensor& x) { return bn(conv(x)); }

  DepthwiseConv2d conv{nullptr};  // with one group, an ordinary one
  FollowingNorm bn{nullptr};
};
TORCH_MODULE(ConvNorm);

struct StemImpl : torch::nn::Module {
  explicit StemImpl(int64_t dim) {
    conv1 = register_module("conv1", ConvNorm(3, dim / 2, 3, 2));
    conv2 = register_module("conv2", ConvNorm(dim / 2, dim, 3, 2));
  }
  at::Tensor forward(const at::Tensor& x) { return conv2(at::gelu(conv1(x))); }  // [B, 3, H, W] -> [B, dim, H/4, W/4]

  ConvNorm conv1{nullptr}, conv2{nullptr};
};
TORCH_MODULE(Stem);

// 1x1, depthwise 3x3, 1x1: a block of the first stage, or the merging of patches between two stages.
struct SeparableImpl : torch::nn::Module {
  SeparableImpl(int64_t in, int64_t middle, int64_t out, int64_t stride) {
    conv1 = register_module("conv1", ConvNorm(in, middle, 1));
    conv2 = register_module("conv2", ConvNorm(middle, middle, 3, stride, middle));
    conv3 = register_module("conv3", ConvNorm(middle, out, 1));
  }
  at::Tensor forward(const at::Tensor& x) { return conv3(at::gelu(conv2(at::gelu(conv1(x))))); }

  ConvNorm conv1{nullptr}, conv2{nullptr}, conv3{nullptr};
};
TORCH_MODULE(Separable);

struct ConvBlockImpl : SeparableImpl {
  explicit ConvBlockImpl(int64_t dim) : SeparableImpl(dim, kExpansion * dim, dim, 1) {
    torch::nn::init::zeros_(conv3->bn->weight);  // starts as the identity
  }
  at::Tensor forward(const at::Tensor& x) { return at::gelu(SeparableImpl::forward(x) + x); }
};
TORCH_MODULE(ConvBlock);

// ---------------------------------------------------------------- attention

// [N, N] for the N positions of a window: the row of the table of biases for the distance between two of them.
at::Tensor distances(int64_t window, at::Device device) {
  const auto along = at::arange(window, at::TensorOptions(at::kLong).device(device));
  const auto rows = along.repeat_interleave(window), columns = along.repeat({window});  // [N]
  const auto distance = [](const at::Tensor& x) { return (x.unsqueeze(1) - x.unsqueeze(0)).abs(); };
  return distance(rows) * window + distance(columns);
}

struct WindowAttentionImpl : torch::nn::Module {
  WindowAttentionImpl(int64_t dim, int64_t heads, int64_t window) : heads(heads), window(window) {
    norm = register_module("norm", LayerNorm(LayerNormOptions({dim})));
    qkv = register_module("qkv", Linear(dim, 3 * dim));
    proj = register_module("proj", Linear(dim, dim));
    attention_biases = register_parameter("attention_biases", at::zeros({heads, window * window}));
  }

  at::Tensor forward(const at::Tensor& x) {  // [B, N, dim], N = window^2
    const auto batch = x.size(0), tokens = x.size(1), dim = x.size(2);
    // The parts of each head lie together, other than in ViT.
    const auto parts = linear(qkv, norm(x)).view({batch, tokens, heads, 3, dim / heads}).permute({3, 0, 2, 1, 4});  // [3, B, heads, N, d]
    return linear(proj, biased_attention(parts[0], parts[1], parts[2], biases()).transpose(1, 2).reshape({batch, tokens, dim}));
  }

  // [heads, N, N]. The backward pass of an embedding is the same in every run, which that of indexing is not on CUDA.
  at::Tensor biases() {
    if (!index.defined() || index.device() != attention_biases.device()) index = distances(window, attention_biases.device());
    return at::embedding(attention_biases.t(), index).permute({2, 0, 1});
  }

  int64_t heads, window;
  LayerNorm norm{nullptr};
  Linear qkv{nullptr}, proj{nullptr};
  at::Tensor attention_biases;  // [heads, N]: of a head, by vertical and horizontal distance
  at::Tensor index;             // [N, N]; follows from the window, so that no file has it
};
TORCH_MODULE(WindowAttention);

struct AttentionBlockImpl : torch::nn::Module {
  AttentionBlockImpl(int64_t dim, int64_t heads, int64_t window) {
    attn = register_module("attn", WindowAttention(dim, heads, window));
    norm = register_nested(*this, {"mlp", "norm"}, LayerNorm(LayerNormOptions({dim})));
    fc1 = register_nested(*this, {"mlp", "fc1"}, Linear(dim, kExpansion * dim));
    fc2 = register_nested(*this, {"mlp", "fc2"}, Linear(kExpansion * dim, dim));
    local_conv = register_module("local_conv", ConvNorm(dim, dim, 3, 1, dim));
  }

  at::Tensor forward(const at::Tensor& x) {                          // [B, C, H, W]
    auto h = x.permute({0, 2, 3, 1});                                // [B, H, W, C]: in channels-last a change of strides only
    h = local_conv((h + attend(h)).permute({0, 3, 1, 2})).permute({0, 2, 3, 1});
    h = h + linear(fc2, at::gelu(linear(fc1, norm(h))));
    return h.permute({0, 3, 1, 2});
  }

  // Attention within windows. What is missing to whole windows is filled with zeros, to which the others do attend.
  at::Tensor attend(at::Tensor x) {  // [B, H, W, C]
    const auto side = attn->window, batch = x.size(0), height = x.size(1), width = x.size(2), dim = x.size(3);
    const auto rows = (height + side - 1) / side, columns = (width + side - 1) / side;
    if (rows * side != height || columns * side != width) x = at::constant_pad_nd(x, {0, 0, 0, columns * side - width, 0, rows * side - height});
    x = x.reshape({batch, rows, side, columns, side, dim}).transpose(2, 3).reshape({-1, side * side, dim});  // [B * windows, N, C]
    x = attn(x).view({batch, rows, columns, side, side, dim}).transpose(2, 3).reshape({batch, rows * side, columns * side, dim});
    return x.slice(1, 0, height).slice(2, 0, width);
  }

  WindowAttention attn{nullptr};
  LayerNorm norm{nullptr};
  Linear fc1{nullptr}, fc2{nullptr};
  ConvNorm local_conv{nullptr};
};
TORCH_MODULE(AttentionBlock);

}  // namespace

TinyViTImpl::TinyViTImpl(const TinyViTOptions& options) : options(options) {
  const auto& dims = options.dims();
  layers.push_back(torch::nn::Sequential(register_module("patch_embed", Stem(dims[0]))));
  for (size_t i = 0; i < dims.size(); ++i) {
    const auto stage = std::to_string(i);
    if (i > 0) layers.push_back(torch::nn::Sequential(register_nested(*this, {"stages", stage, "downsample"}, Separable(dims[i - 1], dims[i], dims[i], 2))));
    torch::nn::Sequential blocks;
    for (int64_t block = 0; block < options.depths()[i]; ++block) {
      if (i == 0) blocks->push_back(ConvBlock(dims[i]));
      else blocks->push_back(AttentionBlock(dims[i], options.heads()[i - 1], options.windows()[i - 1]));
    }
    layers.push_back(register_nested(*this, {"stages", stage, "blocks"}, blocks));
  }
  norm = register_nested(*this, {"head", "norm"}, LayerNorm(LayerNormOptions({dims.back()})));
  fc = register_nested(*this, {"head", "fc"}, Linear(dims.back(), options.num_classes()));
  initialise_transformer(*this);
}

at::Tensor TinyViTImpl::forward(at::Tensor x) {
  for (auto& layer : layers) x = layer->forward(x);  // [B, C, H/32, W/32]
  return fc(norm(x.mean(at::IntArrayRef{2, 3})));
}

}  // namespace sparring
