#include "models/clip_text.h"

#include <cmath>

namespace sparring {

ClipTextImpl::ClipTextImpl(const ClipTextOptions& options) : options(options) {
  const auto dim = options.dim();
  token_embed = register_module("token_embed", torch::nn::Embedding(options.vocab_size(), dim));
  pos_embed = register_parameter("pos_embed", at::zeros({1, options.context_length(), dim}));
  auto list = register_module("blocks", torch::nn::ModuleList());
  const auto block = TransformerBlockOptions()
                         .dim(dim)
                         .heads(options.heads())
                         .mlp_dim(options.mlp_dim())
                         .causal(true)
                         .quick_gelu(options.quick_gelu())
                         .norm_eps(options.norm_eps());
  for (int64_t i = 0; i < options.depth(); ++i) {
    blocks.emplace_back(block);
    list->push_back(blocks.back());
  }
  norm = register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({dim}).eps(options.norm_eps())));
  if (options.projection() > 0) proj = register_module("proj", torch::nn::Linear(torch::nn::LinearOptions(dim, options.projection()).bias(false)));
  if (options.logit_scale()) logit_scale = register_parameter("logit_scale", at::full({}, std::log(1 / 0.07)));  // section 2.5

  initialise_transformer(*this);
  const torch::NoGradGuard no_grad;
  token_embed->weight.normal_(0, 0.02);
  pos_embed.normal_(0, 0.01);
}

at::Tensor ClipTextImpl::states(const at::Tensor& tokens, int64_t skip) {
  auto x = token_embed(tokens) + pos_embed.slice(1, 0, tokens.size(1));  // [B, N, dim]
  for (size_t i = 0; i + skip < blocks.size(); ++i) x = blocks[i](x);
  return norm(x);
}

at::Tensor ClipTextImpl::forward(const at::Tensor& tokens) {
  const auto ends = (tokens == options.end_token()).to(at::kInt).argmax(1);  // [B], the first end of each row
  // Nothing after its end changes a text's embedding: attention is causal.
  const auto x = states(tokens.slice(1, 0, ends.max().item<int64_t>() + 1));
  const auto pooled = x.gather(1, ends.view({-1, 1, 1}).expand({-1, 1, x.size(2)})).squeeze(1);  // [B, dim]
  return proj ? proj(pooled) : pooled;
}

}  // namespace sparring
