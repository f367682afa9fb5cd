#include "diffusion/schedule.h"

#include <algorithm>
#include <cmath>

namespace sparring {

NoiseSchedule NoiseSchedule::cosine(int64_t num_train_timesteps) {
  const auto alpha_bar = [](double t) {
    const auto c = std::cos((t + 0.008) / 1.008 * M_PI / 2);
    return c * c;
  };
  NoiseSchedule schedule;
  double product = 1;
  for (int64_t i = 0; i < num_train_timesteps; ++i) {
    const auto t = static_cast<double>(num_train_timesteps);
    product *= 1 - std::min(1 - alpha_bar((i + 1) / t) / alpha_bar(i / t), 0.999);
    schedule.alphas_cumprod_.push_back(product);
  }
  schedule.alphas_table_ = at::tensor(schedule.alphas_cumprod_, at::kDouble);
  return schedule;
}

std::vector<int64_t> NoiseSchedule::timesteps(int64_t steps, Spacing spacing) const {
  std::vector<int64_t> result;
  for (int64_t i = 0; i < steps; ++i) {
    if (spacing == Spacing::trailing) {
      const auto ratio = static_cast<double>(num_train_timesteps()) / static_cast<double>(steps);
      result.push_back(std::llrint(static_cast<double>(num_train_timesteps()) - static_cast<double>(i) * ratio) - 1);
    } else {
      result.push_back((steps - 1 - i) * (num_train_timesteps() / steps));
    }
  }
  return result;
}

std::pair<at::Tensor, at::Tensor> NoiseSchedule::coefficients(const at::Tensor& timesteps) const {
  auto alpha_bar = alphas_table_.index_select(0, timesteps.to(at::kCPU));
  return {alpha_bar.sqrt().to(timesteps.device(), at::kFloat), (1 - alpha_bar).sqrt().to(timesteps.device(), at::kFloat)};
}

Prediction from_v(const at::Tensor& x_t, const at::Tensor& v, double alpha_bar) {
  const auto alpha = std::sqrt(alpha_bar), sigma = std::sqrt(1 - alpha_bar);
  return {alpha * x_t - sigma * v, sigma * x_t + alpha * v};
}

at::Tensor x0_from_epsilon(const at::Tensor& x_t, const at::Tensor& epsilon, double alpha_bar) {
  return (x_t - std::sqrt(1 - alpha_bar) * epsilon) / std::sqrt(alpha_bar);
}

at::Tensor ddim_step(const Prediction& prediction, double next_alpha_bar) {
  return std::sqrt(next_alpha_bar) * prediction.x0 + std::sqrt(1 - next_alpha_bar) * prediction.epsilon;
}

}  // namespace sparring
