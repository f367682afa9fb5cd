// Class-conditional U-Net in pixel space, with the architecture and key names of diffusers' UNet2DModel:
// conv_in, time_embedding, class_embedding, down_blocks, mid_block, up_blocks, conv_norm_out, conv_out.
// Ho et al. 2020 (arXiv 2006.11239); class embedding added to the time embedding.
#pragma once

#include <vector>

#include <torch/torch.h>

namespace sparring {

struct UNetOptions {
  TORCH_ARG(int64_t, channels) = 3;
  TORCH_ARG(std::vector<int64_t>, block_channels) = {32, 64, 128};
  TORCH_ARG(std::vector<bool>, attention) = {false, false, true};  // self-attention per level
  TORCH_ARG(int64_t, layers_per_block) = 1;                        // residual blocks per level (one more going up)
  TORCH_ARG(int64_t, norm_groups) = 8;
  TORCH_ARG(int64_t, head_dim) = 32;                               // channels per attention head
  TORCH_ARG(int64_t, num_class_embeds) = 3;  // classes + 1; the last is the null class of classifier-free guidance
};

// GroupNorm-SiLU-conv, time embedding, GroupNorm-SiLU-conv, plus the input (through a 1x1 conv if widths differ).
struct ResnetBlockImpl : torch::nn::Module {
  // embedding: channels of the time embedding, 0 = a block without one
  ResnetBlockImpl(int64_t in, int64_t out, int64_t embedding, int64_t groups, double norm_eps);
  // x: [B, in, H, W], activated_embedding: SiLU(embedding) [B, embedding], or undefined -> [B, out, H, W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& activated_embedding = {});

  torch::nn::GroupNorm norm1{nullptr}, norm2{nullptr};
  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr}, conv_shortcut{nullptr};
  torch::nn::Linear time_emb_proj{nullptr};
};
TORCH_MODULE(ResnetBlock);

// Multi-head self-attention over the H*W positions, with residual connection.
struct AttentionBlockImpl : torch::nn::Module {
  AttentionBlockImpl(int64_t channels, int64_t groups, int64_t head_dim, double norm_eps);
  at::Tensor forward(const at::Tensor& x);  // [B, C, H, W] -> [B, C, H, W]

  int64_t channels, heads;
  torch::nn::GroupNorm group_norm{nullptr};
  torch::nn::Linear to_q{nullptr}, to_k{nullptr}, to_v{nullptr}, to_out{nullptr};  // key of the last: to_out.0
};
TORCH_MODULE(AttentionBlock);

// One level going down or up, or the middle: residual blocks, optional attention, optional resampling. The order in
// which they run differs between the three, so UNet::forward holds it.
struct UNetLevelImpl : torch::nn::Module {
  enum class Resample { none, down, up };
  // widths: (in, out) channels of each residual block
  UNetLevelImpl(const std::vector<std::pair<int64_t, int64_t>>& widths, int64_t num_attentions, Resample resample,
                int64_t embedding, const UNetOptions& options);

  std::vector<ResnetBlock> resnets;
  std::vector<AttentionBlock> attentions;
  torch::nn::Conv2d sampler{nullptr};  // key downsamplers.0.conv or upsamplers.0.conv
  at::Tensor merged_upsampler;         // of a frozen network: nearest upsampling and `sampler` as one convolution
};
TORCH_MODULE(UNetLevel);

struct UNetImpl : torch::nn::Module {
  explicit UNetImpl(const UNetOptions& options = {});
  // x: [B, channels, H, W], timesteps: [B] (fp32), classes: [B] (int64) -> prediction [B, channels, H, W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& timesteps, const at::Tensor& classes);

  // Merges each nearest-neighbour upsampling with the convolution after it (exact; see ops/upsample_conv.h).
  // For a network whose weights will not change again.
  void merge_upsamplers(at::ScalarType dtype);

  // Bytes of activations that autograd keeps per image for one forward pass, an estimate from the layer shapes.
  int64_t activation_bytes(int64_t image_size, int64_t element_bytes) const;

  UNetOptions options;
  torch::nn::Conv2d conv_in{nullptr}, conv_out{nullptr};
  torch::nn::Linear linear_1{nullptr}, linear_2{nullptr};
  torch::nn::Embedding class_embedding{nullptr};
  std::vector<UNetLevel> down_blocks, up_blocks;
  UNetLevel mid_block{nullptr};
  torch::nn::GroupNorm conv_norm_out{nullptr};
};
TORCH_MODULE(UNet);

}  // namespace sparring
