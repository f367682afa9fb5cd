#include "distill/noising.h"

#include "ops/random.h"
#include "ops/upload.h"

namespace sparring {

NoisedImages noised(const Denoiser& denoiser, const at::Tensor& x0, uint64_t seed, uint64_t step) {
  const auto batch = x0.size(0);
  auto timesteps = at::empty({batch}, at::kLong);
  std::vector<int64_t> noise_seeds;
  const CounterRng time_rng(seed, Stream::timesteps, step);
  for (int64_t i = 0; i < batch; ++i) {
    timesteps[i] = static_cast<int64_t>(time_rng.uniform(i) * static_cast<double>(denoiser.schedule().num_train_timesteps()));
    noise_seeds.push_back(static_cast<int64_t>(mix64(seed) + static_cast<uint64_t>(i)));
  }
  timesteps = upload(timesteps, x0.device());
  const auto noise = upload(seeded_normal(noise_seeds, x0.sizes().slice(1), Stream::training_noise, step), x0.device());
  auto [alpha, sigma] = denoiser.schedule().coefficients(timesteps);  // [B]
  alpha = alpha.view({-1, 1, 1, 1});
  sigma = sigma.view({-1, 1, 1, 1});
  const auto type = denoiser.options().prediction;
  const auto target = type == PredictionType::epsilon ? noise : type == PredictionType::x0 ? x0 : alpha * noise - sigma * x0;
  return {alpha * x0 + sigma * noise, timesteps, target};
}

}  // namespace sparring
