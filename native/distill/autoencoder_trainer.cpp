#include "distill/autoencoder_trainer.h"

#include "distill/adversarial_loss.h"
#include "error.h"
#include "models/initialisation.h"
#include "ops/autocast.h"
#include "ops/upload.h"

namespace sparring {
namespace {

constexpr double kCommitmentWeight = 0.25;  // beta of arXiv 1711.00937

std::shared_ptr<Autoencoder> with_codebook(std::shared_ptr<Autoencoder> autoencoder) {
  if (!autoencoder->has_codes()) throw Error("usage", "Training of an autoencoder: expected one with a codebook, found another.", "Use one of kind vqgan.");
  return autoencoder;
}

PatchDiscriminator make_discriminator(const AutoencoderTrainerOptions& options, at::Device device) {
  if (options.adversarial_weight <= 0) return nullptr;
  const Initialisation initialisation(options.training.seed);
  PatchDiscriminator discriminator;
  if (options.image_size < discriminator->least_side()) {
    throw Error("config", "A discriminator of patches needs images of at least " + std::to_string(discriminator->least_side()) + " pixels, found " + std::to_string(options.image_size) + ".",
                "Take larger images, or an adversarial weight of 0.");
  }
  discriminator->to(device);
  to_channels_last(*discriminator);
  return discriminator;
}

at::Tensor gradient_of(const at::Tensor& loss, const at::Tensor& input) { return torch::autograd::grad({loss}, {input})[0]; }

}  // namespace

AutoencoderTrainer::AutoencoderTrainer(std::shared_ptr<Autoencoder> autoencoder, PerceptualLoss perceptual, AutoencoderTrainerOptions options)
    : autoencoder_(with_codebook(std::move(autoencoder))),
      ema_(options.training.ema_decay > 0 ? autoencoder_->clone() : nullptr),
      perceptual_(std::move(perceptual)),
      options_(options),
      discriminator_(make_discriminator(options, autoencoder_->device())),
      state_(autoencoder_->module(), ema_ ? &ema_->module() : nullptr, options.training),
      dead_codes_(autoencoder_->vqgan().options.num_codes(), autoencoder_->device()) {
  if (discriminator_) {
    auto training = options.training;
    training.ema_decay = 0;
    discriminator_state_ = std::make_unique<TrainingState>(*discriminator_, nullptr, training);
  }
}

template <typename Work>
at::Tensor AutoencoderTrainer::autocast(Work work) const {
  AutocastGuard guard(autoencoder_->device().type(), options_.training.autocast_bf16);
  return work();
}

StepResult AutoencoderTrainer::step(const at::Tensor& images, double learning_rate, uint64_t step) {
  const auto& training = options_.training;
  auto& vqgan = autoencoder_->vqgan();
  const auto device = autoencoder_->device();
  const auto x = upload(augment(images, options_.augment, training.seed, step) * 2 - 1, device);  // [B, 3, H, W] in -1..1

  vqgan.train();
  const auto latents = autocast([&] { return vqgan.encode(x); });  // [B, C, h, w] fp32
  const auto quantised = vqgan.quantise(latents);
  const auto reconstruction = autocast([&] { return vqgan.decode(quantised.latents); });  // [B, 3, H, W] fp32
  const auto [codebook, commitment] = codebook_losses(vqgan, latents, quantised.indices);

  // The losses see the reconstruction as a leaf: whatever network is behind one of them is passed once, and the gradients of both
  // are known where they meet.
  const auto seen = reconstruction.detach().requires_grad_(true);
  const auto absolute = at::l1_loss(seen, x);
  auto fidelity = absolute;
  StepResult result;
  result.terms = {{"absoluteError", absolute.item<double>()}, {"codebook", codebook.item<double>()}};  // the commitment is the same number
  if (perceptual_) {
    const auto perceptual = perceptual_(seen, x);
    result.terms.emplace_back("perceptual", perceptual.item<double>());
    fidelity = fidelity + options_.perceptual_weight * perceptual;
  }
  auto gradient = gradient_of(fidelity, seen);  // [B, 3, H, W]
  const auto codes = codebook + kCommitmentWeight * commitment;
  result.loss = (fidelity + codes).item<double>();

  Judged judged;
  if (discriminator_ && step >= options_.adversarial_from) {
    judged = judge(x, reconstruction, seen, gradient);
    gradient = gradient + judged.gradient;
    result.terms.insert(result.terms.end(), {{"adversarial", judged.adversarial}, {"adversarialWeight", judged.weight}, {"discriminator", judged.loss.item<double>()}});
    result.loss += judged.weight * judged.adversarial;
  }

  // The same gradients as of the losses themselves. All are found before any weight changes.
  const auto slope = state_.slope((reconstruction * gradient).sum() + codes);
  const auto descent = TrainingState::check(slope, step);
  result.gradient_norm = descent.gradient_norm;
  if (judged.loss.defined()) discriminator_state_->descend(discriminator_state_->slope(judged.loss), learning_rate, step);
  state_.update(slope, descent, learning_rate, step);
  dead_codes_.restart(latents, quantised.indices, vqgan.embedding->weight, ema_ ? ema_->vqgan().embedding->weight : at::Tensor(), training.seed, step);
  touch();
  return result;
}

// images: [B, 3, H, W], `seen`: the reconstruction as a leaf, gradient: of the other losses with respect to it
AutoencoderTrainer::Judged AutoencoderTrainer::judge(const at::Tensor& images, const at::Tensor& reconstruction, const at::Tensor& seen, const at::Tensor& gradient) {
  Judged judged;
  const auto made = autocast([&] { return discriminator_->forward(seen); });  // [B, 1, h, w]
  const auto adversarial = -made.mean();
  const auto own = torch::autograd::grad({adversarial}, {seen}, {}, /*retain_graph=*/true)[0];
  const auto& last_layer = autoencoder_->vqgan().decoder->conv_out->weight;
  const auto at_last_layer = [&](const at::Tensor& cotangent) { return torch::autograd::grad({reconstruction}, {last_layer}, {cotangent}, /*retain_graph=*/true)[0]; };
  const auto weight = options_.adversarial_weight * adaptive_weight(at_last_layer(gradient), at_last_layer(own));
  judged.gradient = weight * own;
  judged.weight = weight.item<double>();
  judged.adversarial = adversarial.item<double>();
  // `made` once more: its graph leads to the discriminator's weights too.
  judged.loss = hinge_loss(autocast([&] { return discriminator_->forward(images); }), made);
  return judged;
}

NamedTensors AutoencoderTrainer::tensors() const {
  auto all = state_.tensors();
  if (discriminator_state_) {
    for (const auto& [name, tensor] : discriminator_state_->tensors()) all.emplace_back("discriminator." + name, tensor);
  }
  all.emplace_back("codebook.unused_steps", dead_codes_.unused_steps());
  return all;
}

void AutoencoderTrainer::touch() {
  autoencoder_->touch();
  if (ema_) ema_->touch();
}

}  // namespace sparring
