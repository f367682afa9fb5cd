#include "models/vit.h"

#include "models/nested.h"

namespace sparring {
namespace {

using torch::nn::LayerNorm;
using torch::nn::LayerNormOptions;
using torch::nn::Linear;
using torch::nn::LinearOptions;

constexpr double kTokenStd = 1e-6;  // tells register tokens apart, which would else learn the same

LayerNorm make_norm(const ViTOptions& options) { return LayerNorm(LayerNormOptions({options.dim()}).eps(options.norm_eps())); }

TransformerBlockOptions block_options(const ViTOptions& options) {
  return TransformerBlockOptions()
      .dim(options.dim())
      .heads(options.heads())
      .mlp_dim(options.mlp_dim())
      .layer_scale(options.layer_scale())
      .quick_gelu(options.quick_gelu())
      .norm_eps(options.norm_eps());
}

}  // namespace

ViTImpl::ViTImpl(const ViTOptions& options) : options(options) {
  const auto dim = options.dim(), patch = options.patch();
  const auto side = options.image_size() / patch;
  patch_embed = register_nested(*this, {"patch_embed", "proj"},
                                torch::nn::Conv2d(torch::nn::Conv2dOptions(3, dim, patch).stride(patch).bias(!options.pre_norm())));
  cls_token = register_parameter("cls_token", at::zeros({1, 1, dim}));
  if (options.distilled()) dist_token = register_parameter("dist_token", at::zeros({1, 1, dim}));
  if (options.registers() > 0) reg_token = register_parameter("reg_token", at::zeros({1, options.registers(), dim}));
  pos_embed = register_parameter("pos_embed", at::zeros({1, side * side + (options.prefix_positions() ? options.prefix_tokens() : 0), dim}));
  if (options.pre_norm()) norm_pre = register_module("norm_pre", make_norm(options));
  auto list = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.depth(); ++i) {
    blocks.emplace_back(block_options(options));
    list->push_back(blocks.back());
  }
  norm = register_module(options.average_pool() ? "fc_norm" : "norm", make_norm(options));
  const auto projection = options.projection(), features = projection > 0 ? projection : dim;
  if (projection > 0) proj = register_module("proj", Linear(LinearOptions(dim, projection).bias(false)));
  head = register_module("head", Linear(features, options.num_classes()));
  if (options.distilled()) head_dist = register_module("head_dist", Linear(features, options.num_classes()));

  initialise_transformer(*this);
  const torch::NoGradGuard no_grad;
  pos_embed.normal_(0, 0.02);
  cls_token.normal_(0, kTokenStd);
  if (reg_token.defined()) reg_token.normal_(0, kTokenStd);
  if (dist_token.defined()) dist_token.normal_(0, 0.02);
}

// A convolution whose windows do not overlap is a product of matrices, which is faster on the CPU: rows are patches, in the order of channels-last.
at::Tensor ViTImpl::embed_patches(const at::Tensor& x) {
  const auto side = options.image_size() / options.patch(), patch = options.patch(), numbers = patch * patch * 3;
  const auto patches = x.permute({0, 2, 3, 1}).reshape({x.size(0), side, patch, side, patch, 3}).transpose(2, 3).reshape({x.size(0), side * side, numbers});
  return at::linear(patches, patch_embed->weight.permute({0, 2, 3, 1}).reshape({options.dim(), numbers}), patch_embed->bias);
}

at::Tensor ViTImpl::embed(const at::Tensor& x) {
  const auto batch = x.size(0);
  auto tokens = embed_patches(x);
  std::vector<at::Tensor> parts;
  for (const auto& token : {cls_token, dist_token, reg_token}) {
    if (token.defined()) parts.push_back(token.expand({batch, -1, -1}));
  }
  if (!options.prefix_positions()) tokens = tokens + pos_embed;
  parts.push_back(tokens);
  tokens = at::cat(parts, 1);
  return options.prefix_positions() ? tokens + pos_embed : tokens;
}

at::Tensor ViTImpl::features(const at::Tensor& pooled) {
  const auto x = norm(pooled);
  if (!proj) return x;
  const auto embedding = proj(x).to(at::kFloat);
  return embedding / embedding.norm(2, -1, /*keepdim=*/true);
}

at::Tensor ViTImpl::logits(const at::Tensor& pooled) {
  if (!proj) return head(features(pooled));
  // CLIP's logits reach 30: in bf16 they would be multiples of 1/8.
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  return at::linear(features(pooled), head->weight.to(at::kFloat), head->bias.to(at::kFloat));
}

at::Tensor ViTImpl::forward(const at::Tensor& x) {
  auto tokens = embed(x);
  if (norm_pre) tokens = norm_pre(tokens);
  // The heads read the first tokens alone, unless they read the mean of those of the patches.
  const auto read = options.average_pool() ? tokens.size(1) : options.distilled() ? 2 : 1;
  for (auto& block : blocks) tokens = block->first(tokens, &block == &blocks.back() ? read : tokens.size(1));
  if (options.average_pool()) {
    const auto side = options.image_size() / options.patch();
    return logits(tokens.slice(1, tokens.size(1) - side * side).mean(1));  // without class and register tokens
  }
  if (!options.distilled()) return logits(tokens.select(1, 0));
  return (logits(tokens.select(1, 0)) + head_dist(features(tokens.select(1, 1)))) / 2;
}

}  // namespace sparring
