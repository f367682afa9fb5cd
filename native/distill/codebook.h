// Training of the codebook of a VQGAN: its losses, and new places for codes that no image uses.
#pragma once

#include <string>

#include "models/vqgan.h"

namespace sparring {

struct CodebookLosses {
  at::Tensor codebook;    // moves the codes to the latents: mean of (sg[z] - e)^2, e the nearest code (arXiv 1711.00937, eq. 3)
  at::Tensor commitment;  // moves the latents to the codes: mean of (z - sg[e])^2
};

// latents: [B, C, h, w] with gradient, indices: [B, h, w] of the nearest codes
CodebookLosses codebook_losses(const VQGANImpl& vqgan, const at::Tensor& latents, const at::Tensor& indices);

// Codes that were not the nearest of any latent for kPatience steps are put onto random latents of the batch, as in Jukebox
// (Dhariwal et al. 2020, arXiv 2005.00341, section 3.1). At the beginning all count as dead, so that the first batch places what it
// does not use.
class DeadCodes {
 public:
  static constexpr int64_t kPatience = 50;  // steps

  explicit DeadCodes(int64_t num_codes, at::Device device);

  // After a step with these latents [B, C, h, w] and indices [B, h, w]. The codes are those of `codebook` [K, C] and, if defined, of
  // its moving average. Which latents are taken depends on seed and step alone.
  void restart(const at::Tensor& latents, const at::Tensor& indices, const at::Tensor& codebook, const at::Tensor& average, uint64_t seed, uint64_t step);

  // Steps since each code was last used, [K] int64: part of the state of the training.
  const at::Tensor& unused_steps() const { return unused_steps_; }

 private:
  at::Tensor unused_steps_;
};

}  // namespace sparring
