// A diffusion model: U-Net, noise schedule, what its class or text conditions are, the autoencoder of a latent one, and the
// frozen copy that sampling uses. Images are in -1..1; timesteps run from num_train_timesteps - 1 (noise) to 0. x, x0 and
// noise are samples of the space that it works in: images, or latents.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <torch/torch.h>

#include "diffusion/sampler.h"
#include "models/autoencoder.h"
#include "models/unet.h"

namespace sparring {

struct DenoiserOptions {
  UNetOptions unet;  // with num_classes class embeddings, one more for the null class, text, or none of them
  NoiseScheduleOptions schedule;
  PredictionType prediction = PredictionType::v;
  Spacing spacing = Spacing::trailing;
  PosteriorVariance variance = PosteriorVariance::fixed_small;
  double clip = 1;  // predicted x0 are clamped to -clip..clip; 0: not at all
  int64_t num_classes = 2;
  int64_t image_size = 32;  // side of the images that come out
  int64_t draw_size = 32;   // side of the images that are drawn, before they are resized
};

// What is added to the conditions of each image of a batch, in the shape of one: [B, E] or [B, tokens, text_channels].
// Undefined: nothing.
struct ConditionShift {
  at::Tensor of_class, of_null;
};
// Of each step of a run; empty: nothing in any.
using ConditionShifts = std::vector<ConditionShift>;
inline ConditionShift shift_at(const ConditionShifts& shifts, size_t step) { return shifts.empty() ? ConditionShift{} : shifts.at(step); }

enum class Decoder { own, guidance };  // what latents become images with

class Denoiser {
 public:
  // Without an autoencoder the U-Net works on the images themselves. Throws Error "config" if the parts do not fit.
  // Without a seed the weights are left as they come, for loading; see models/initialisation.h. Weights of another type than
  // fp32 are for one that will be frozen in that type: they are never there twice.
  Denoiser(DenoiserOptions options, at::Device device, std::optional<uint64_t> seed, std::shared_ptr<Autoencoder> autoencoder = nullptr,
           at::ScalarType weights = at::kFloat);

  // x_t: [B, C, h, w], timesteps: [B] int64, classes: [B] int64 (num_classes = null class) -> output of the network
  // [B, C, h, w] fp32. The trained module; gradients reach its weights.
  at::Tensor forward(const at::Tensor& x_t, const at::Tensor& timesteps, const at::Tensor& classes);

  // The same of the frozen copy; gradients reach x_t and conditions() that ask for them.
  at::Tensor forward_frozen(const at::Tensor& x_t, const at::Tensor& timesteps, const at::Tensor& classes, at::ScalarType dtype);

  // Prediction of the frozen copy at one timestep for the whole batch; gradients as of forward_frozen.
  // guidance_scale 1 is the conditional model alone; above it, classifier-free guidance
  // (Ho & Salimans 2022, arXiv 2207.12598) with both halves in one batch. Gradients reach `shift` too.
  Prediction predict(const at::Tensor& x_t, const StepPlace& place, const at::Tensor& classes, double guidance_scale, at::ScalarType dtype,
                     const ConditionShift& shift = {});
  // Predicted x0 as sampling goes on with it.
  at::Tensor clip(const at::Tensor& x0) const { return options_.clip > 0 ? x0.clamp(-options_.clip, options_.clip) : x0; }
  // x0: [B, C, h, w] -> images [B, 3, image_size, image_size] in -1..1, clamped; gradients reach x0.
  at::Tensor to_images(const at::Tensor& x0, at::ScalarType dtype, Decoder decoder = Decoder::own);
  // A small autoencoder for the same latents, for gradients alone. Throws Error "config" if it is for others.
  void set_guidance_decoder(std::shared_ptr<Autoencoder> autoencoder);
  bool has_guidance_decoder() const { return guidance_decoder_ != nullptr; }
  // The other way, without gradients: what the U-Net works on for given images; of an autoencoder with a posterior its mode.
  at::Tensor from_images(const at::Tensor& images, at::ScalarType dtype);
  // [C, h, w]
  std::vector<int64_t> sample_shape() const;

  // Throws Error "config" for a guidance scale that it cannot be sampled with.
  void check_guidance_scale(double guidance_scale) const;

  // What a text U-Net is told of each class and, last, of the null class: [num_classes + 1, tokens, text_channels].
  void set_text(const at::Tensor& text);

  // What the U-Net is told of each class and, last, of the null class where there is one: class embeddings [rows, E] or
  // texts [rows, tokens, text_channels], fp32. Throws Error "config" for one that is told nothing.
  at::Tensor conditions() const;
  // A copy that shares the weights, which must not be trained further, and has conditions that can be changed. It is neither
  // trained nor saved as a whole.
  std::shared_ptr<Denoiser> with_own_conditions() const;
  // Of such a copy, in the shape that they have.
  void set_conditions(const at::Tensor& conditions);
  bool has_own_conditions() const { return own_conditions_; }

  // To be called after every change of the weights.
  void touch() { frozen_ = nullptr; }
  // For one that will be neither trained nor saved: the weights are kept in the precision of sampling alone (and once more
  // in fp32, transformed, where ops/frozen_conv.h takes a convolution, and merged where one follows an upsampling).
  void freeze_weights(at::ScalarType dtype);
  std::shared_ptr<Denoiser> clone() const;

  UNetImpl& module() { return *net_; }
  int64_t null_class() const { return options_.num_classes; }
  bool has_null_class() const { return has_text() || options_.unet.num_class_embeds() > options_.num_classes; }
  bool has_text() const { return options_.unet.text_channels() > 0; }
  bool is_frozen() const { return frozen_ && frozen_.ptr() == net_.ptr(); }
  bool is_latent() const { return autoencoder_ != nullptr; }
  const DenoiserOptions& options() const { return options_; }
  const NoiseSchedule& schedule() const { return schedule_; }
  at::Device device() const { return device_; }

 private:
  Denoiser(const Denoiser&) = default;
  UNet copy_network() const;
  void make_frozen(UNet network, at::ScalarType dtype);
  at::Tensor text_of(const at::Tensor& classes, at::ScalarType dtype) const;
  at::Tensor shifted_conditions(const at::Tensor& classes, bool classifier_free, const ConditionShift& shift) const;
  at::Tensor run_frozen(const at::Tensor& x_t, const at::Tensor& timesteps, const at::Tensor& classes, at::ScalarType dtype, const at::Tensor& told);
  at::Tensor class_table() const { return has_text() ? at::Tensor() : conditions_; }

  DenoiserOptions options_;
  at::Device device_;
  NoiseSchedule schedule_;
  std::shared_ptr<Autoencoder> autoencoder_, guidance_decoder_;
  at::Tensor conditions_;  // the texts; or class embeddings in place of the network's, undefined otherwise
  bool own_conditions_ = false;
  UNet net_{nullptr}, frozen_{nullptr};
  at::ScalarType frozen_dtype_ = at::kFloat;
};

}  // namespace sparring
