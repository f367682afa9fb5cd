// The forward process of diffusion as training sees it: images with noise of a random timestep, and what the network shall say.
#pragma once

#include "diffusion/denoiser.h"

namespace sparring {

struct NoisedImages {
  at::Tensor x_t;        // [B, C, h, w]
  at::Tensor timesteps;  // [B] int64
  at::Tensor target;     // [B, C, h, w]: the noise, x0 or v, whichever the network predicts
};

// Timesteps are uniform; they and the noise depend on seed, step and position alone. x0: [B, C, h, w] on the denoiser's device
NoisedImages noised(const Denoiser& denoiser, const at::Tensor& x0, uint64_t seed, uint64_t step);

}  // namespace sparring
