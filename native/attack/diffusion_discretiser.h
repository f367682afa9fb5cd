// A diffusion model in the place of the VQGAN (DAD, arXiv 2311.01441, table 10): an image gets as much noise as some step of a run
// expects, and the rest of the run takes it away again (SDEdit, arXiv 2108.01073), whatever the class.
#pragma once

#include "attack/discretiser.h"
#include "diffusion/denoiser.h"
#include "guidance/sampling_options.h"

namespace sparring {

// `sampling` starts from images. Throws Error "config" for a model that cannot draw without being told of a class.
Discretiser diffusion_discretiser(std::shared_ptr<Denoiser> denoiser, const SamplingOptions& sampling);

}  // namespace sparring
