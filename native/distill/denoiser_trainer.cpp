#include "distill/denoiser_trainer.h"

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
      state_(denoiser_->module(), ema_ ? &ema_->module() : nullptr, options.training) {
  if (!has_graphs(denoiser_->device())) return;
  recorded_.emplace([this](const std::vector<at::Tensor>& all) { return learn({all[0], all[1], all[2]}, all[3]).list(); }, denoiser_->device());
}

Slope DenoiserTrainer::learn(const NoisedImages& noised, const at::Tensor& classes) const {
  const torch::AutoGradMode gradients(true);
  at::Tensor predicted;
  {
    AutocastGuard autocast(denoiser_->device().type(), options_.training.autocast_bf16);
    predicted = denoiser_->forward(noised.x_t, noised.timesteps, classes);
  }
  return state_.slope(at::mse_loss(predicted, noised.target));
}

StepResult DenoiserTrainer::step(const at::Tensor& images, const at::Tensor& labels, double learning_rate, uint64_t step) {
  const auto seed = options_.training.seed;
  const auto device = denoiser_->device();
  std::optional<RecordingStream> stream;
  if (recorded_) stream.emplace(device);
  const auto x0 = upload(augment(images, options_.augment, seed, step) * 2 - 1, device);  // [B, 3, H, W] in -1..1
  const auto noised = sparring::noised(*denoiser_, x0, seed, step);

  auto classes = labels.clone();
  const CounterRng dropout_rng(seed, Stream::label_dropout, step);
  for (int64_t i = 0; i < classes.size(0); ++i) {
    if (dropout_rng.uniform(i) < options_.label_dropout) classes[i] = denoiser_->null_class();
  }

  classes = upload(classes, device);

  denoiser_->module().train();
  const auto slope = recorded_ ? Slope::of((*recorded_)({noised.x_t, noised.timesteps, noised.target, classes})) : learn(noised, classes);
  const auto [value, norm, others] = state_.descend(slope, learning_rate, step);
  touch();
  return {.loss = value, .gradient_norm = norm};
}

void DenoiserTrainer::touch() {
  denoiser_->touch();
  if (ema_) ema_->touch();
}

}  // namespace sparring
