// The pre-norm transformer block of ViT and of CLIP's text tower, with the key names of timm:
// norm1, attn.qkv, attn.proj, ls1.gamma, norm2, mlp.fc1, mlp.fc2, ls2.gamma.
#pragma once

#include <torch/torch.h>

namespace sparring {

struct TransformerBlockOptions {
  TORCH_ARG(int64_t, dim) = 384;
  TORCH_ARG(int64_t, heads) = 6;
  TORCH_ARG(int64_t, mlp_dim) = 1536;
  TORCH_ARG(bool, layer_scale) = false;  // a learned factor per channel on every residual branch
  TORCH_ARG(bool, causal) = false;       // a token attends to itself and those before it
  TORCH_ARG(bool, quick_gelu) = false;   // x sigmoid(1.702 x), of OpenAI's CLIP
  TORCH_ARG(double, norm_eps) = 1e-6;
};

struct TransformerBlockImpl : torch::nn::Module {
  explicit TransformerBlockImpl(const TransformerBlockOptions& options);
  at::Tensor forward(const at::Tensor& x) { return first(x, x.size(1)); }  // [B, N, dim] -> [B, N, dim]
  // The first `kept` tokens of it, [B, kept, dim]. Of the others only queries, keys and values are computed.
  at::Tensor first(const at::Tensor& x, int64_t kept);

  TransformerBlockOptions options;
  torch::nn::LayerNorm norm1{nullptr}, norm2{nullptr};
  torch::nn::Linear qkv{nullptr}, proj{nullptr}, fc1{nullptr}, fc2{nullptr};
  at::Tensor gamma1, gamma2;  // layer scale, [dim]; undefined without
};
TORCH_MODULE(TransformerBlock);

// Weights of all linear layers below `module` from N(0, 0.02^2), biases 0. timm truncates at +-2, which never acts here.
void initialise_transformer(torch::nn::Module& module);

}  // namespace sparring
