// What a denoiser says about x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) epsilon, whichever of the three it predicts.
#pragma once

#include <torch/torch.h>

namespace sparring {

// The noise (Ho et al. 2020, arXiv 2006.11239), the image, or
// v = sqrt(alpha_bar) epsilon - sqrt(1 - alpha_bar) x0 (Salimans & Ho 2022, arXiv 2202.00512).
enum class PredictionType { epsilon, x0, v };

struct Prediction {
  at::Tensor x0;       // [B, C, H, W]
  at::Tensor epsilon;  // [B, C, H, W]
};

// Where a step is: what the network is told, and how much of x is image and how much noise. Tensors without dimensions, on
// the host in fp64; or on a GPU in fp32, where a recorded step finds other numbers each time it is launched.
struct StepPlace {
  at::Tensor timestep;
  at::Tensor alpha, sigma, inverse_alpha, inverse_sigma;  // sqrt(alpha_bar), sqrt(1 - alpha_bar) and one over each
};

StepPlace place_of(double timestep, double alpha_bar);

// Throws Error "usage" where the output of a network of the type does not say what the noise is, sigma being sqrt(1 - alpha_bar).
void require_noise(PredictionType type, double sigma);

// Both, from the output of a network of the given type. Where a step's numbers are on a GPU, who sends them there requires noise.
Prediction prediction_from(PredictionType type, const at::Tensor& output, const at::Tensor& x_t, const StepPlace& place);

}  // namespace sparring
