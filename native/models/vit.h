// Vision transformers (Dosovitskiy et al. 2020, arXiv 2010.11929) with the key names of timm: patch_embed.proj, cls_token,
// reg_token, pos_embed, norm_pre, blocks.0.{norm1,attn.qkv,attn.proj,ls1.gamma,norm2,mlp.fc1,mlp.fc2,ls2.gamma}, norm or
// fc_norm, proj, head. The options cover AugReg, DeiT and its distilled form (dist_token, head_dist), DeiT III, DINOv2
// with and without registers, MAE, and the image tower of CLIP with a zero-shot or linear-probe head.
#pragma once

#include <vector>

#include <torch/torch.h>

#include "models/transformer_block.h"

namespace sparring {

struct ViTOptions {
  TORCH_ARG(int64_t, num_classes) = 1000;
  TORCH_ARG(int64_t, image_size) = 224;
  TORCH_ARG(int64_t, patch) = 16;
  TORCH_ARG(int64_t, dim) = 384;
  TORCH_ARG(int64_t, depth) = 12;
  TORCH_ARG(int64_t, heads) = 6;
  TORCH_ARG(int64_t, mlp_dim) = 1536;
  TORCH_ARG(int64_t, registers) = 0;           // register tokens (Darcet et al. 2023, arXiv 2309.16588)
  TORCH_ARG(bool, distilled) = false;          // distillation token and head; the logits are the mean of both heads
  TORCH_ARG(bool, layer_scale) = false;        // a learned factor per channel on every residual branch
  TORCH_ARG(bool, prefix_positions) = true;    // the class and register tokens have position embeddings too
  TORCH_ARG(bool, pre_norm) = false;           // CLIP: a norm before the blocks, and no bias in the patch embedding
  TORCH_ARG(bool, average_pool) = false;       // mean of the patch tokens, then fc_norm, instead of the class token
  TORCH_ARG(int64_t, projection) = 0;          // CLIP: channels of a linear map to unit vectors before the head; 0 = none
  TORCH_ARG(bool, quick_gelu) = false;         // x sigmoid(1.702 x), of OpenAI's CLIP
  TORCH_ARG(double, norm_eps) = 1e-6;

 public:
  int64_t prefix_tokens() const { return 1 + (distilled() ? 1 : 0) + registers(); }  // before those of the patches
};

struct ViTImpl : torch::nn::Module {
  explicit ViTImpl(const ViTOptions& options = {});
  // x: [B, 3, image_size, image_size] -> logits [B, num_classes]
  at::Tensor forward(const at::Tensor& x);

  ViTOptions options;
  torch::nn::Conv2d patch_embed{nullptr};
  at::Tensor cls_token, dist_token, reg_token;  // [1, 1, dim], [1, 1, dim], [1, registers, dim]
  at::Tensor pos_embed;                         // [1, prefix tokens + patches, dim], or of the patches alone
  torch::nn::LayerNorm norm_pre{nullptr}, norm{nullptr};
  std::vector<TransformerBlock> blocks;
  torch::nn::Linear proj{nullptr};  // without bias; timm has no such layer, the name is OpenAI's
  torch::nn::Linear head{nullptr}, head_dist{nullptr};

 private:
  at::Tensor embed_patches(const at::Tensor& x);  // [B, patches, dim]
  at::Tensor embed(const at::Tensor& x);          // [B, N, dim]
  at::Tensor features(const at::Tensor& pooled);  // [B, dim] -> what the head takes
  at::Tensor logits(const at::Tensor& pooled);    // [B, dim] -> [B, num_classes]
};
TORCH_MODULE(ViT);

}  // namespace sparring
