// The text tower of CLIP (Radford et al. 2021, arXiv 2103.00020), which is also Stable Diffusion's text encoder: causal
// transformer over byte-pair tokens, pooled at the end-of-text token. Key names: token_embed, pos_embed,
// blocks.0 as in ViT, norm, proj, logit_scale; lib/clip/key-names.ts maps those of other projects onto them.
#pragma once

#include <vector>

#include <torch/torch.h>

#include "models/transformer_block.h"

namespace sparring {

struct ClipTextOptions {
  TORCH_ARG(int64_t, vocab_size) = 49408;
  TORCH_ARG(int64_t, context_length) = 77;  // most tokens of a text
  TORCH_ARG(int64_t, end_token) = 49407;
  TORCH_ARG(int64_t, dim) = 512;
  TORCH_ARG(int64_t, depth) = 12;
  TORCH_ARG(int64_t, heads) = 8;
  TORCH_ARG(int64_t, mlp_dim) = 2048;
  TORCH_ARG(int64_t, projection) = 512;   // channels of the embedding shared with images; 0: the pooled token as it is
  TORCH_ARG(bool, logit_scale) = true;    // holds the logarithm of the factor of the cosine similarities
  TORCH_ARG(bool, quick_gelu) = true;
  TORCH_ARG(double, norm_eps) = 1e-5;
};

struct ClipTextImpl : torch::nn::Module {
  explicit ClipTextImpl(const ClipTextOptions& options = {});
  // tokens: [B, N] int64, an end-of-text token in each row -> [B, projection], not normalised.
  at::Tensor forward(const at::Tensor& tokens);
  // tokens: [B, N] -> [B, N, dim] after the final norm, without the last `skip` blocks. Stable Diffusion 1.x takes
  // skip 0; 2.x was trained with skip 1.
  at::Tensor states(const at::Tensor& tokens, int64_t skip = 0);

  ClipTextOptions options;
  torch::nn::Embedding token_embed{nullptr};
  at::Tensor pos_embed;  // [1, context_length, dim]
  std::vector<TransformerBlock> blocks;
  torch::nn::LayerNorm norm{nullptr};
  torch::nn::Linear proj{nullptr};  // without bias
  at::Tensor logit_scale;           // scalar; undefined without
};
TORCH_MODULE(ClipText);

}  // namespace sparring
