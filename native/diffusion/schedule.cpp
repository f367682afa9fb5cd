#include "diffusion/schedule.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"

namespace sparring {
namespace {

// [num_train_timesteps], fp32
at::Tensor betas(const NoiseScheduleOptions& options) {
  const auto start = options.beta_start, end = options.beta_end;
  const auto count = options.num_train_timesteps;
  if (options.betas == BetaSchedule::linear) return at::linspace(start, end, count, at::kFloat);
  if (options.betas == BetaSchedule::scaled_linear) return at::linspace(std::sqrt(start), std::sqrt(end), count, at::kFloat).square();
  const auto alpha_bar = [&](int64_t t) {
    const auto c = std::cos((static_cast<double>(t) / static_cast<double>(count) + 0.008) / 1.008 * M_PI / 2);
    return c * c;
  };
  std::vector<double> result;
  for (int64_t t = 0; t < count; ++t) result.push_back(std::min(1 - alpha_bar(t + 1) / alpha_bar(t), 0.999));
  return at::tensor(result, at::kFloat);
}

}  // namespace

// In fp32, as the tables that published networks were trained with: a 1 - beta near 0 or 1 is rounded there, which the
// last and the first timesteps show.
NoiseSchedule::NoiseSchedule(const NoiseScheduleOptions& options)
    : options_(options), alphas_table_((1 - betas(options)).cumprod(0).to(at::kDouble)) {
  const auto* alphas = alphas_table_.const_data_ptr<double>();
  alphas_cumprod_.assign(alphas, alphas + options.num_train_timesteps);
}

double NoiseSchedule::alpha_bar(int64_t timestep) const {
  if (timestep >= 0) return alphas_cumprod_.at(static_cast<size_t>(timestep));
  return options_.set_alpha_to_one ? 1.0 : alphas_cumprod_[0];
}

double NoiseSchedule::alpha_bar_between(double timestep) const {
  const auto low = static_cast<int64_t>(timestep);
  const auto fraction = timestep - static_cast<double>(low);
  if (fraction == 0) return alpha_bar(low);
  const auto sigma = [&](int64_t t) { return std::sqrt((1 - alpha_bar(t)) / alpha_bar(t)); };
  return 1 / (1 + std::pow(sigma(low) + fraction * (sigma(low + 1) - sigma(low)), 2));
}

std::vector<int64_t> NoiseSchedule::timesteps(int64_t steps, Spacing spacing) const {
  const auto total = num_train_timesteps();
  const auto first_leading = (steps - 1) * (total / std::max<int64_t>(steps, 1)) + options_.steps_offset;
  if (steps < 1 || steps > total || (spacing == Spacing::leading && first_leading >= total)) {
    throw Error("usage", "Sampling steps: expected at least 1 and timesteps below " + std::to_string(total) + ", found " + std::to_string(steps) + " steps.",
                "The model was trained with that many timesteps; take fewer steps.");
  }
  const auto ratio = static_cast<double>(total) / static_cast<double>(steps);
  std::vector<int64_t> result;
  for (int64_t i = 0; i < steps; ++i) {
    switch (spacing) {
      case Spacing::linspace:  // down to 0; a single step is at 0 too
        result.push_back(std::llrint(static_cast<double>((steps - 1 - i) * (total - 1)) / static_cast<double>(std::max<int64_t>(steps - 1, 1))));
        break;
      case Spacing::leading:
        result.push_back((steps - 1 - i) * (total / steps) + options_.steps_offset);
        break;
      case Spacing::trailing:
        result.push_back(std::llrint(static_cast<double>(total) - static_cast<double>(i) * ratio) - 1);
        break;
    }
  }
  return result;
}

std::pair<at::Tensor, at::Tensor> NoiseSchedule::coefficients(const at::Tensor& timesteps) const {
  auto alpha_bar = alphas_table_.index_select(0, timesteps.to(at::kCPU));
  return {alpha_bar.sqrt().to(timesteps.device(), at::kFloat), (1 - alpha_bar).sqrt().to(timesteps.device(), at::kFloat)};
}

}  // namespace sparring
