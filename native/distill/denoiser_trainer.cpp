#include "distill/denoiser_trainer.h"

#include "distill/noising.h"
#include "error.h"
#include "ops/autocast.h"
#include "ops/upload.h"
#include "ops/random.h"

namespace sparring {

namespace {

std::shared_ptr<Denoiser> trainable(std::shared_ptr<Denoiser> denoiser) {
  const auto& options = denoiser->options();
  if (denoiser->is_frozen() || denoiser->has_own_conditions() || denoiser->is_latent() || !denoiser->has_null_class() || denoiser->has_text() || options.prediction != PredictionType::v ||
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
  const auto seed = options_.training.seed;
  const auto device = denoiser_->device();
  const auto x0 = upload(augment(images, options_.augment, seed, step) * 2 - 1, device);  // [B, 3, H, W] in -1..1
  const auto [x_t, timesteps, target] = noised(*denoiser_, x0, seed, step);

  auto classes = labels.clone();
  const CounterRng dropout_rng(seed, Stream::label_dropout, step);
  for (int64_t i = 0; i < classes.size(0); ++i) {
    if (dropout_rng.uniform(i) < options_.label_dropout) classes[i] = denoiser_->null_class();
  }

  denoiser_->module().train();
  at::Tensor predicted;
  {
    AutocastGuard autocast(device.type(), options_.training.autocast_bf16);
    predicted = denoiser_->forward(x_t, timesteps, upload(classes, device));
  }
  const auto loss = at::mse_loss(predicted, target);
  const auto [value, norm, others] = state_.apply(loss, learning_rate, step);
  touch();
  return {.loss = value, .gradient_norm = norm};
}

void DenoiserTrainer::touch() {
  denoiser_->touch();
  if (ema_) ema_->touch();
}

}  // namespace sparring
