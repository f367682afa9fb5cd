#include "distill/denoiser_trainer.h"

#include "error.h"
#include "ops/autocast.h"
#include "ops/random.h"

namespace sparring {

namespace {

std::shared_ptr<Denoiser> trainable(std::shared_ptr<Denoiser> denoiser) {
  const auto& options = denoiser->options();
  if (denoiser->is_frozen() || denoiser->is_latent() || !denoiser->has_null_class() || denoiser->has_text() || options.prediction != PredictionType::v ||
      options.draw_size != options.image_size) {
    throw Error("usage", "Training of a generator: expected one of images with a null class and v-prediction, found another.",
                "Published generators are used as they are.");
  }
  return denoiser;
}

}  // namespace

DenoiserTrainer::DenoiserTrainer(std::shared_ptr<Denoiser> denoiser, DenoiserTrainerOptions options)
    : denoiser_(trainable(std::move(denoiser))),
      ema_(options.training.ema_decay > 0 ? denoiser_->clone() : nullptr),
      options_(options),
      state_(denoiser_->module(), ema_ ? &ema_->module() : nullptr, options.training) {}

StepResult DenoiserTrainer::step(const at::Tensor& images, const at::Tensor& labels, double learning_rate, uint64_t step) {
  const auto batch = images.size(0), size = images.size(1);
  const auto seed = options_.training.seed;
  const auto device = denoiser_->device();
  const auto x0 = (augment(images, options_.augment, seed, step) * 2 - 1).to(device);  // [B, 3, H, W] in -1..1

  auto timesteps = at::empty({batch}, at::kLong), classes = labels.clone();
  std::vector<int64_t> noise_seeds;
  const CounterRng time_rng(seed, Stream::timesteps, step), dropout_rng(seed, Stream::label_dropout, step);
  const auto train_timesteps = denoiser_->schedule().num_train_timesteps();
  for (int64_t i = 0; i < batch; ++i) {
    timesteps[i] = static_cast<int64_t>(time_rng.uniform(i) * static_cast<double>(train_timesteps));
    if (dropout_rng.uniform(i) < options_.label_dropout) classes[i] = denoiser_->null_class();
    noise_seeds.push_back(static_cast<int64_t>(mix64(seed) + static_cast<uint64_t>(i)));
  }
  timesteps = timesteps.to(device);
  classes = classes.to(device);

  const auto noise = seeded_normal(noise_seeds, {3, size, size}, Stream::training_noise, step).to(device);
  auto [alpha, sigma] = denoiser_->schedule().coefficients(timesteps);  // [B]
  alpha = alpha.view({-1, 1, 1, 1});
  sigma = sigma.view({-1, 1, 1, 1});
  const auto x_t = alpha * x0 + sigma * noise;
  const auto v = alpha * noise - sigma * x0;

  denoiser_->module().train();
  at::Tensor predicted;
  {
    AutocastGuard autocast(device.type(), options_.training.autocast_bf16);
    predicted = denoiser_->forward(x_t, timesteps, classes);
  }
  const auto loss = at::mse_loss(predicted, v);

  StepResult result;
  result.loss = loss.item<double>();
  result.gradient_norm = state_.apply(loss, learning_rate, step);
  touch();
  return result;
}

void DenoiserTrainer::touch() {
  denoiser_->touch();
  if (ema_) ema_->touch();
}

}  // namespace sparring
