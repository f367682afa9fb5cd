// Null-text optimisation, Mokady et al. 2022 (arXiv 2211.09794), section 3.3: DDIM backwards leads from an image to a noise from which the
// plain run comes back, and the run with classifier-free guidance does not. At each step what is added to the null condition is fitted so that the
// guided run stays on the way that the inversion took.
//
//   minimise over the shift:  mean of (x*_{i+1} - x_{i+1}(x_i, shift))^2,   x*: where the inversion was; then go on from x_{i+1}
#pragma once

#include "diffusion/denoiser.h"
#include "guidance/sampling_options.h"
#include "job.h"

namespace sparring {

// `class_shift` is added to the conditions of the classes at every step, undefined: nothing.
// inverted: x before each step of the run and at its end, steps + 1 times [B, C, h, w]. The shift of each step; those of a step begin
// at those of the one before, and the best of its iterates counts for each image.
ConditionShifts fit_null_condition(Denoiser& denoiser, Sampler& sampler, const std::vector<at::Tensor>& inverted, const at::Tensor& classes,
                                   const SamplingOptions& sampling, const JobContext& job, const at::Tensor& class_shift = {});

}  // namespace sparring
