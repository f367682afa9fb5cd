// Runs that start from images: with noise added (SDEdit, arXiv 2108.01073), or from the noise that DDIM inversion finds.
#pragma once

#include "guidance/chain_gradient.h"

namespace sparring {

// What the run of `sampler` starts with instead of `noise`, which it is told of, and what is added to the conditions at its steps:
// `shift`, of their classes, at each of them (undefined: nothing), which the way back from an image is told too.
// start_images: [B, H, W, 3] uint8 where sampling.start says so, else undefined; noise and result: [B, C, h, w].
ChainPoint begin_run(Denoiser& denoiser, Sampler& sampler, const at::Tensor& noise, const at::Tensor& start_images, const at::Tensor& classes,
                     const SamplingOptions& sampling, const JobContext& job, const at::Tensor& shift = {});

}  // namespace sparring
