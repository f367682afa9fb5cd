#include "models/vit.h"

#include "models/nested.h"
#include "ops/attention.h"
#include "ops/linear.h"

namespace sparring {
namespace {

using torch::nn::LayerNorm;
using torch::nn::LayerNormOptions;
using torch::nn::Linear;

constexpr double kInitialStd = 0.02;  // of weights and embeddings; timm truncates at +-2, which never acts at this width

LayerNorm make_norm(const ViTOptions& options) { return LayerNorm(LayerNormOptions({options.dim()}).eps(options.norm_eps())); }

// A parameter below a container of its own: "ls1.gamma".
at::Tensor register_layer_scale(torch::nn::Module& block, const std::string& name, int64_t dim) {
  auto holder = block.register_module(name, std::make_shared<torch::nn::Module>(name));
  return holder->register_parameter("gamma", at::full({dim}, 1e-5));
}

at::Tensor scaled(const at::Tensor& branch, const at::Tensor& gamma) { return gamma.defined() ? branch * gamma : branch; }

}  // namespace

// ---------------------------------------------------------------- block

ViTBlockImpl::ViTBlockImpl(const ViTOptions& options) : heads(options.heads()), quick_gelu(options.quick_gelu()) {
  const auto dim = options.dim();
  norm1 = register_module("norm1", make_norm(options));
  qkv = register_nested(*this, {"attn", "qkv"}, Linear(dim, 3 * dim));
  proj = register_nested(*this, {"attn", "proj"}, Linear(dim, dim));
  if (options.layer_scale()) gamma1 = register_layer_scale(*this, "ls1", dim);
  norm2 = register_module("norm2", make_norm(options));
  fc1 = register_nested(*this, {"mlp", "fc1"}, Linear(dim, options.mlp_dim()));
  fc2 = register_nested(*this, {"mlp", "fc2"}, Linear(options.mlp_dim(), dim));
  if (options.layer_scale()) gamma2 = register_layer_scale(*this, "ls2", dim);
}

at::Tensor ViTBlockImpl::forward(at::Tensor x) {
  const auto batch = x.size(0), tokens = x.size(1), dim = x.size(2);
  const auto parts = linear(qkv, norm1(x)).view({batch, tokens, 3, heads, dim / heads}).permute({2, 0, 3, 1, 4});  // [3, B, heads, N, d]
  const auto attended = attention(parts[0], parts[1], parts[2]).transpose(1, 2).reshape({batch, tokens, dim});
  x = x + scaled(linear(proj, attended), gamma1);
  auto hidden = linear(fc1, norm2(x));  // [B, N, mlp_dim]
  hidden = quick_gelu ? hidden * at::sigmoid(1.702 * hidden) : at::gelu(hidden);
  return x + scaled(linear(fc2, hidden), gamma2);
}

// ---------------------------------------------------------------- the network

ViTImpl::ViTImpl(const ViTOptions& options) : options(options) {
  const auto dim = options.dim(), patch = options.patch();
  const auto side = options.image_size() / patch;
  patch_embed = register_nested(*this, {"patch_embed", "proj"},
                                torch::nn::Conv2d(torch::nn::Conv2dOptions(3, dim, patch).stride(patch).bias(!options.pre_norm())));
  cls_token = register_parameter("cls_token", at::zeros({1, 1, dim}));
  if (options.distilled()) dist_token = register_parameter("dist_token", at::zeros({1, 1, dim}));
  if (options.registers() > 0) reg_token = register_parameter("reg_token", at::zeros({1, options.registers(), dim}));
  const auto prefix = 1 + (options.distilled() ? 1 : 0) + options.registers();
  pos_embed = register_parameter("pos_embed", at::zeros({1, side * side + (options.prefix_positions() ? prefix : 0), dim}));
  if (options.pre_norm()) norm_pre = register_module("norm_pre", make_norm(options));
  auto list = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.depth(); ++i) {
    blocks.emplace_back(options);
    list->push_back(blocks.back());
  }
  norm = register_module(options.average_pool() ? "fc_norm" : "norm", make_norm(options));
  head = register_module("head", Linear(dim, options.num_classes()));
  if (options.distilled()) head_dist = register_module("head_dist", Linear(dim, options.num_classes()));

  torch::NoGradGuard no_grad;
  pos_embed.normal_(0, kInitialStd);
  if (dist_token.defined()) dist_token.normal_(0, kInitialStd);
  for (auto& module : modules(/*include_self=*/false)) {
    if (auto* linear = module->as<Linear>()) {
      linear->weight.normal_(0, kInitialStd);
      linear->bias.zero_();
    }
  }
}

at::Tensor ViTImpl::embed(const at::Tensor& x) {
  const auto batch = x.size(0);
  auto tokens = patch_embed(x).flatten(2).transpose(1, 2);  // [B, patches, dim]
  std::vector<at::Tensor> parts;
  for (const auto& token : {cls_token, dist_token, reg_token}) {
    if (token.defined()) parts.push_back(token.expand({batch, -1, -1}));
  }
  if (!options.prefix_positions()) tokens = tokens + pos_embed;
  parts.push_back(tokens);
  tokens = at::cat(parts, 1);
  return options.prefix_positions() ? tokens + pos_embed : tokens;
}

at::Tensor ViTImpl::forward(const at::Tensor& x) {
  auto tokens = embed(x);
  if (norm_pre) tokens = norm_pre(tokens);
  for (auto& block : blocks) tokens = block(tokens);
  if (options.average_pool()) {
    const auto side = options.image_size() / options.patch();
    return head(norm(tokens.slice(1, tokens.size(1) - side * side).mean(1)));  // without class and register tokens
  }
  if (!options.distilled()) return head(norm(tokens.select(1, 0)));
  return (head(norm(tokens.select(1, 0))) + head_dist(norm(tokens.select(1, 1)))) / 2;
}

}  // namespace sparring
