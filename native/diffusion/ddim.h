// The step of DDIM, eq. 12 of Song et al. 2020 (arXiv 2010.02502).
#pragma once

#include "diffusion/prediction.h"

namespace sparring {

// x at the noise level of next_alpha_bar. sigma is the standard deviation of the `noise` within it; without, the step is
// deterministic (eta 0).
at::Tensor ddim_step(const Prediction& prediction, double next_alpha_bar, double sigma = 0, const at::Tensor& noise = {});

}  // namespace sparring
