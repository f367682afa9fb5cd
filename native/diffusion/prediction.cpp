#include "diffusion/prediction.h"

#include <cmath>

#include "error.h"

namespace sparring {

void require_noise(PredictionType type, double sigma) {
  if (type != PredictionType::x0 || sigma > 0) return;
  throw Error("usage", "A network that predicts x0 says nothing of the noise at a step that starts without any.",
              "For DDIM inversion, take a schedule with set_alpha_to_one false.");
}

StepPlace place_of(double timestep, double alpha_bar) {
  const auto alpha = std::sqrt(alpha_bar), sigma = std::sqrt(1 - alpha_bar);
  const auto number = [](double value) { return at::scalar_tensor(value, at::kDouble); };
  return {number(timestep), number(alpha), number(sigma), number(1 / alpha), number(1 / sigma)};
}

Prediction prediction_from(PredictionType type, const at::Tensor& output, const at::Tensor& x_t, const StepPlace& place) {
  const auto& [timestep, alpha, sigma, inverse_alpha, inverse_sigma] = place;
  if (sigma.is_cpu()) require_noise(type, sigma.item<double>());
  switch (type) {
    case PredictionType::epsilon:
      return {(x_t - sigma * output) * inverse_alpha, output};
    case PredictionType::x0:
      return {output, (x_t - alpha * output) * inverse_sigma};
    default:
      return {alpha * x_t - sigma * output, sigma * x_t + alpha * output};
  }
}

}  // namespace sparring
