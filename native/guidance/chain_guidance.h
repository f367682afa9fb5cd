// Guidance through the whole chain: what a run starts from, and where asked for what the generator is told at each step, is
// optimised through the differentiable sampling chain, as in DiG-IN (arXiv 2311.17833), which is the nearest procedure that is public.
//
//   maximise J over z, and over what is added to the condition and to the null condition at each step (chain_gradient.h)
//
// Adam on each; after each step z is rescaled to its initial norm, because a Gaussian's norm is what the denoiser has seen. Of each
// image that iterate is kept whose image, whole and by the generator's own decoder, has the best score.
#pragma once

#include "guidance/chain_gradient.h"

namespace sparring {

struct ChainGuidanceOptions {
  ChainLoss loss;
  int64_t iterations = 20;
  double learning_rate = 0.05;  // of z
  MovedConditions moved;        // what is optimised beside z
  double condition_rate = 0.01;
  // Activations of at most this many bytes are kept; a longer chain is cut into segments that are recomputed
  // in the backward pass (gradient checkpointing), which gives the same gradient.
  int64_t memory_bytes = int64_t{4} << 30;
};

// Throws Error "config" where nothing is told that could be moved.
void check_moved(const Denoiser& denoiser, MovedConditions moved, double guidance_scale);

// Images in -1..1 [B, 3, H, W] of the best points found, from `point` on. seeds: per image, of the cutouts. `cosines` gets the cosine
// of each image's first gradient by z with the exact one, [B], which costs the exact one as well.
at::Tensor optimise_chain(const Chain& chain, const ChainGuidanceOptions& options, ChainPoint point, at::ArrayRef<int64_t> seeds, std::vector<at::Tensor>* cosines = nullptr);

}  // namespace sparring
