// Guidance through the whole chain: the initial noise, of a run from an image the noise that is added to it or
// was found for it, is optimised through the differentiable sampling chain (the procedure closest to ConfiG that is public is DiG-IN, arXiv 2311.17833).
//
//   maximise over z:  J(z) = objective(teacher(x0(z)), student(x0(z)), y),   x0(z) = chain from z
//
// Adam on z; after each step z is rescaled to its initial norm, because a Gaussian's norm is what the denoiser
// has seen; the best iterate of each image is kept.
#pragma once

#include "guidance/step_guidance.h"
#include "job.h"

namespace sparring {

struct ChainGuidanceOptions {
  Objective objective;
  int64_t iterations = 20;
  double learning_rate = 0.05;
  // Activations of at most this many bytes are kept; a longer chain is cut into segments that are recomputed
  // in the backward pass (gradient checkpointing), which gives the same gradient.
  int64_t memory_bytes = int64_t{4} << 30;
};

enum class SamplingStart { noise, image, inversion };  // see image_start.h

struct SamplingOptions {
  SamplerOptions sampler;
  double guidance_scale = 1;  // of classifier-free guidance; 1 = off
  at::ScalarType dtype = at::kFloat;
  SamplingStart start = SamplingStart::noise;  // from images it is sampler.strength that says how far from them
};

// Images of the chain and dJ/dz: z [B, C, h, w] -> images in -1..1 [B, 3, H, W], score [B], gradient [B, C, h, w], and that of
// the summed score with respect to the denoiser's conditions() where those ask for it. The sampler must not remember
// earlier steps, which are run again.
struct ChainGradient {
  at::Tensor images, score, gradient, conditions;
};
ChainGradient chain_gradient(Denoiser& denoiser, const Opponents& opponents, const Objective& objective, Sampler& sampler,
                             const at::Tensor& z, const at::Tensor& classes, const SamplingOptions& sampling,
                             int64_t segment_steps, const JobContext& job);

// How many steps of the chain fit in `memory_bytes` at once; all of them when no checkpoint is needed.
int64_t steps_per_segment(Denoiser& denoiser, int64_t memory_bytes, const Sampler& sampler, int64_t batch, const SamplingOptions& sampling);

// Images in -1..1 [B, 3, H, W] from the best noise found, starting at z.
at::Tensor optimise_chain(Denoiser& denoiser, const Opponents& opponents, const ChainGuidanceOptions& options, Sampler& sampler,
                          const at::Tensor& z, const at::Tensor& classes, const SamplingOptions& sampling,
                          const JobContext& job);

}  // namespace sparring
