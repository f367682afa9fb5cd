#include "diffusion/denoiser.h"

#include "models/classifier.h"

namespace sparring {

Denoiser::Denoiser(DenoiserOptions options, at::Device device, uint64_t seed)
    : options_(std::move(options)), device_(device) {
  torch::manual_seed(seed);
  options_.unet.num_class_embeds(options_.num_classes + 1);
  net_ = UNet(options_.unet);
  net_->to(device_);
  to_channels_last(*net_);
}

at::Tensor Denoiser::forward(const at::Tensor& x_t, const at::Tensor& timesteps, const at::Tensor& classes) {
  return net_(x_t.contiguous(at::MemoryFormat::ChannelsLast), timesteps.to(at::kFloat), classes).to(at::kFloat);
}

Prediction Denoiser::predict(const at::Tensor& x_t, int64_t timestep, const at::Tensor& classes, double guidance_scale,
                             at::ScalarType dtype) {
  if (!frozen_ || frozen_dtype_ != dtype) {
    frozen_ = copy_network();
    frozen_->merge_upsamplers(dtype);
    freeze(*frozen_, dtype);
    frozen_dtype_ = dtype;
  }
  auto x = x_t.to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
  auto labels = classes;
  const bool classifier_free = guidance_scale != 1.0;
  if (classifier_free) {
    x = at::cat({x, x}, 0);
    labels = at::cat({classes, at::full_like(classes, null_class())}, 0);
  }
  auto t = at::full({x.size(0)}, static_cast<double>(timestep), x.options().dtype(at::kFloat));
  auto v = frozen_(x, t, labels).to(at::kFloat);
  if (classifier_free) {
    const auto halves = v.chunk(2, 0);
    v = halves[1] + guidance_scale * (halves[0] - halves[1]);
  }
  return prediction_from(PredictionType::v, v, x_t, schedule_.alpha_bar(timestep));
}

UNet Denoiser::copy_network() const {
  UNet copy(options_.unet);
  copy->to(device_);
  to_channels_last(*copy);
  copy_weights(*net_, *copy);
  return copy;
}

std::shared_ptr<Denoiser> Denoiser::clone() const {
  auto copy = std::shared_ptr<Denoiser>(new Denoiser(*this));
  copy->net_ = copy_network();
  copy->frozen_ = nullptr;
  return copy;
}

}  // namespace sparring
