// U-Nets of diffusion models, with the architecture and key names of diffusers: UNet2DModel in pixel space, without
// condition or with a class embedding added to the time embedding (Ho et al. 2020, arXiv 2006.11239), and
// UNet2DConditionModel, Stable Diffusion's, which attends to a text in latent space (Rombach et al. 2022, arXiv 2112.10752).
// Keys: conv_in, time_embedding, class_embedding, down_blocks, mid_block, up_blocks, conv_norm_out, conv_out.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "models/unet_blocks.h"

namespace sparring {

struct UNetOptions {
  TORCH_ARG(int64_t, channels) = 3;
  TORCH_ARG(std::vector<int64_t>, block_channels) = {32, 64, 128};
  TORCH_ARG(std::vector<bool>, attention) = {false, false, true};  // per level; between the way down and up always
  TORCH_ARG(std::vector<int64_t>, heads) = {1, 2, 4};              // attention heads per level
  TORCH_ARG(int64_t, layers_per_block) = 1;                        // residual blocks per level (one more going up)
  TORCH_ARG(int64_t, norm_groups) = 8;
  TORCH_ARG(double, norm_eps) = 1e-5;
  TORCH_ARG(int64_t, num_class_embeds) = 3;  // classes + 1; the last is the null class of classifier-free guidance. 0: none
  TORCH_ARG(int64_t, text_channels) = 0;     // of a token of the text; 0: self-attention alone
  TORCH_ARG(int64_t, transformer_layers) = 1;
  TORCH_ARG(bool, linear_projection) = false;     // of a transformer's input and output: Stable Diffusion 2.x, not 1.x
  TORCH_ARG(bool, downsample_both_sides) = true;  // pads all sides of what is halved; otherwise right and below (DDPM)
  TORCH_ARG(bool, cosine_first) = true;           // in the time embedding: flip_sin_to_cos of diffusers
  TORCH_ARG(int64_t, frequency_shift) = 0;        // the lowest frequency is exp(-ln(10000) (half - 1) / (half - shift))
};

// One level going down or up, or the middle: residual blocks, optional attention, optional resampling. The order in
// which they run differs between the three, so UNet::forward holds it.
struct UNetLevelImpl : torch::nn::Module {
  enum class Resample { none, down, up };
  // widths: (in, out) channels of each residual block
  UNetLevelImpl(const std::vector<std::pair<int64_t, int64_t>>& widths, int64_t num_attentions, Resample resample,
                int64_t heads, int64_t embedding, const UNetOptions& options);

  std::vector<ResnetBlock> resnets;
  std::vector<std::shared_ptr<SpatialAttention>> attentions;
  torch::nn::Conv2d downsampler{nullptr};  // key downsamplers.0.conv
  UpsampleConv2d upsampler{nullptr};       // key upsamplers.0.conv
};
TORCH_MODULE(UNetLevel);

struct UNetImpl : torch::nn::Module {
  explicit UNetImpl(const UNetOptions& options = {});
  // x: [B, channels, H, W], timesteps: [B] (fp32), classes: [B] (int64) and text: [B, tokens, text_channels] where the
  // network has them -> prediction [B, channels, H, W]. class_table: [num_class_embeds, E] in place of the class embedding's.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& timesteps, const at::Tensor& classes, const at::Tensor& text = {},
                     const at::Tensor& class_table = {});

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
