#include "models/autoencoder_keys.h"

#include <string>

namespace sparring {

KeyNames autoencoder_keys(size_t levels) {
  KeyNames names;
  names.section = "first_stage_model.";     // the autoencoder within a latent diffusion model
  names.ignored = {"loss.", "model_ema."};  // discriminator, perceptual loss, averages: what training alone needs
  names.renamed = {
      {"encoder.down.", "encoder.down_blocks."},
      {".mid.block_1.", ".mid_block.resnets.0."},
      {".mid.attn_1.", ".mid_block.attentions.0."},
      {".mid.block_2.", ".mid_block.resnets.1."},
      {".block.", ".resnets."},
      {".nin_shortcut.", ".conv_shortcut."},
      {".attn.", ".attentions."},
      {".downsample.", ".downsamplers.0."},
      {".upsample.", ".upsamplers.0."},
      {".norm_out.", ".conv_norm_out."},
      // attention
      {".norm.", ".group_norm."},
      {".q.", ".to_q."},
      {".k.", ".to_k."},
      {".v.", ".to_v."},
      {".proj_out.", ".to_out.0."},
      // attention, diffusers before 0.18
      {".query.", ".to_q."},
      {".key.", ".to_k."},
      {".value.", ".to_v."},
      {".proj_attn.", ".to_out.0."},
  };
  // There the decoder's levels count from the image, here from the latents.
  for (size_t level = 0; level < levels; ++level) {
    names.renamed.push_back({"decoder.up." + std::to_string(level) + ".", "decoder.up_blocks." + std::to_string(levels - 1 - level) + "."});
  }
  names.linear = {".attentions."};
  return names;
}

}  // namespace sparring
