#include "models/transformer_block.h"

#include "models/nested.h"
#include "ops/attention.h"
#include "ops/linear.h"

namespace sparring {
namespace {

using torch::nn::LayerNorm;
using torch::nn::LayerNormOptions;
using torch::nn::Linear;

// A parameter below a container of its own: "ls1.gamma".
at::Tensor register_layer_scale(torch::nn::Module& block, const std::string& name, int64_t dim) {
  auto holder = block.register_module(name, std::make_shared<torch::nn::Module>(name));
  return holder->register_parameter("gamma", at::full({dim}, 1e-5));
}

at::Tensor scaled(const at::Tensor& branch, const at::Tensor& gamma) { return gamma.defined() ? branch * gamma : branch; }

}  // namespace

TransformerBlockImpl::TransformerBlockImpl(const TransformerBlockOptions& options) : options(options) {
  const auto dim = options.dim();
  const auto norm = LayerNormOptions({dim}).eps(options.norm_eps());
  norm1 = register_module("norm1", LayerNorm(norm));
  qkv = register_nested(*this, {"attn", "qkv"}, Linear(dim, 3 * dim));
  proj = register_nested(*this, {"attn", "proj"}, Linear(dim, dim));
  if (options.layer_scale()) gamma1 = register_layer_scale(*this, "ls1", dim);
  norm2 = register_module("norm2", LayerNorm(norm));
  fc1 = register_nested(*this, {"mlp", "fc1"}, Linear(dim, options.mlp_dim()));
  fc2 = register_nested(*this, {"mlp", "fc2"}, Linear(options.mlp_dim(), dim));
  if (options.layer_scale()) gamma2 = register_layer_scale(*this, "ls2", dim);
}

at::Tensor TransformerBlockImpl::first(const at::Tensor& x, int64_t kept) {
  const auto batch = x.size(0), tokens = x.size(1), dim = x.size(2), heads = options.heads();
  const auto parts = linear(qkv, norm1(x)).view({batch, tokens, 3, heads, dim / heads}).permute({2, 0, 3, 1, 4});  // [3, B, heads, N, d]
  const auto attended = attention(parts[0].narrow(2, 0, kept), parts[1], parts[2], options.causal()).transpose(1, 2).reshape({batch, kept, dim});
  const auto after = x.narrow(1, 0, kept) + scaled(linear(proj, attended), gamma1);
  auto hidden = linear(fc1, norm2(after));  // [B, kept, mlp_dim]
  hidden = options.quick_gelu() ? hidden * at::sigmoid(1.702 * hidden) : at::gelu(hidden);
  return after + scaled(linear(fc2, hidden), gamma2);
}

void initialise_transformer(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& child : module.modules(/*include_self=*/false)) {
    if (auto* linear = child->as<torch::nn::Linear>()) {
      linear->weight.normal_(0, 0.02);
      if (linear->bias.defined()) linear->bias.zero_();
    }
  }
}

}  // namespace sparring
