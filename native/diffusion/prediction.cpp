#include "diffusion/prediction.h"

#include <cmath>

#include "error.h"

namespace sparring {

Prediction prediction_from(PredictionType type, const at::Tensor& output, const at::Tensor& x_t, double alpha_bar) {
  const auto alpha = std::sqrt(alpha_bar), sigma = std::sqrt(1 - alpha_bar);
  switch (type) {
    case PredictionType::epsilon:
      return {(x_t - sigma * output) / alpha, output};
    case PredictionType::x0:
      if (sigma == 0) {
        throw Error("usage", "A network that predicts x0 says nothing of the noise at a step that starts without any.",
                    "For DDIM inversion, take a schedule with set_alpha_to_one false.");
      }
      return {output, (x_t - alpha * output) / sigma};
    default:
      return {alpha * x_t - sigma * output, sigma * x_t + alpha * output};
  }
}

}  // namespace sparring
