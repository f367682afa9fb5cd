#include "diffusion/denoiser.h"

#include <string>

#include "error.h"
#include "models/classifier.h"
#include "models/initialisation.h"
#include "ops/resize.h"

namespace sparring {
namespace {

void require(bool fits, const std::string& problem) {
  if (!fits) throw Error("config", "Generator: " + problem);
}

// [B] fp32 on the device of x
at::Tensor timesteps_of(const StepPlace& place, const at::Tensor& x) {
  if (!place.timestep.is_cpu()) return place.timestep.expand({x.size(0)});
  return at::full({x.size(0)}, place.timestep.item<double>(), x.options().dtype(at::kFloat));
}

}  // namespace

Denoiser::Denoiser(DenoiserOptions options, at::Device device, std::optional<uint64_t> seed, std::shared_ptr<Autoencoder> autoencoder, at::ScalarType weights)
    : options_(std::move(options)), device_(device), schedule_(options_.schedule), autoencoder_(std::move(autoencoder)) {
  const auto& unet = options_.unet;
  const auto channels = autoencoder_ ? autoencoder_->latent_channels() : 3;
  const auto classes = unet.num_class_embeds();
  require(unet.channels() == channels, c10::str("expected a U-Net of ", channels, " channels, found ", unet.channels(), "."));
  require(classes == 0 || classes == options_.num_classes || classes == options_.num_classes + 1,
          c10::str("expected a U-Net of ", options_.num_classes, " classes, found ", classes, "."));
  const auto divisor = (autoencoder_ ? autoencoder_->downsampling() : 1) << (unet.block_channels().size() - 1);
  require(options_.draw_size % divisor == 0, c10::str("expected images whose side is a multiple of ", divisor, " px, found ", options_.draw_size, " px."));
  const Initialisation initialisation(seed);
  net_ = UNet(unet);
  for (auto& parameter : net_->parameters()) {
    if (weights != at::kFloat) parameter.set_data(Initialisation::draws() ? parameter.to(weights) : at::empty_like(parameter, parameter.options().dtype(weights)));
  }
  net_->to(device_);
  to_channels_last(*net_);
}

at::Tensor Denoiser::forward(const at::Tensor& x_t, const at::Tensor& timesteps, const at::Tensor& classes) {
  return net_(x_t.contiguous(at::MemoryFormat::ChannelsLast), timesteps.to(at::kFloat), classes, text_of(classes, at::kFloat), class_table()).to(at::kFloat);
}

at::Tensor Denoiser::forward_frozen(const at::Tensor& x_t, const at::Tensor& timesteps, const at::Tensor& classes, at::ScalarType dtype) {
  return run_frozen(x_t, timesteps, classes, dtype, {});
}

// told: conditions of each image, [B, ...]; undefined: those of its class.
at::Tensor Denoiser::run_frozen(const at::Tensor& x_t, const at::Tensor& timesteps, const at::Tensor& classes, at::ScalarType dtype, const at::Tensor& told) {
  if (!frozen_ || (frozen_dtype_ != dtype && !is_frozen())) make_frozen(copy_network(), dtype);
  const auto x = x_t.to(frozen_dtype_).contiguous(at::MemoryFormat::ChannelsLast);
  const auto t = timesteps.to(at::kFloat);
  if (!told.defined()) return frozen_(x, t, classes, text_of(classes, frozen_dtype_), class_table()).to(at::kFloat);
  if (has_text()) return frozen_(x, t, classes, told.to(frozen_dtype_), at::Tensor()).to(at::kFloat);
  // A table of class embeddings with a row for each image.
  return frozen_(x, t, at::arange(x.size(0), classes.options()), at::Tensor(), told).to(at::kFloat);
}

Prediction Denoiser::predict(const at::Tensor& x_t, const StepPlace& place, const at::Tensor& classes, double guidance_scale,
                             at::ScalarType dtype, const ConditionShift& shift) {
  auto x = x_t;
  auto labels = classes;
  const bool classifier_free = guidance_scale != 1.0;
  if (classifier_free) {
    check_guidance_scale(guidance_scale);
    x = at::cat({x, x}, 0);
    labels = at::cat({classes, at::full_like(classes, null_class())}, 0);
  }
  const auto told = shift.of_class.defined() || shift.of_null.defined() ? shifted_conditions(classes, classifier_free, shift) : at::Tensor();
  auto output = run_frozen(x, timesteps_of(place, x), labels, dtype, told);
  if (classifier_free) {
    const auto halves = output.chunk(2, 0);
    output = halves[1] + guidance_scale * (halves[0] - halves[1]);
  }
  return prediction_from(options_.prediction, output, x_t, place);
}

// Of each image and, for classifier-free guidance, of its other half.
at::Tensor Denoiser::shifted_conditions(const at::Tensor& classes, bool classifier_free, const ConditionShift& shift) const {
  const auto all = conditions();
  const auto of_class = all.index_select(0, classes);
  const auto own = shift.of_class.defined() ? of_class + shift.of_class : of_class;
  if (!classifier_free) return own;
  const auto null = all.select(0, null_class()).unsqueeze(0).expand_as(own);
  return at::cat({own, shift.of_null.defined() ? null + shift.of_null : null}, 0);
}

void Denoiser::freeze_weights(at::ScalarType dtype) { make_frozen(net_, dtype); }

void Denoiser::make_frozen(UNet network, at::ScalarType dtype) {
  freeze(*network, dtype);
  frozen_ = network;
  frozen_dtype_ = dtype;
}

at::Tensor Denoiser::to_images(const at::Tensor& x0, at::ScalarType dtype, Decoder decoder) {
  TORCH_CHECK(decoder == Decoder::own || guidance_decoder_, "to_images: there is no decoder for guidance");
  const auto& autoencoder = decoder == Decoder::guidance ? guidance_decoder_ : autoencoder_;
  const auto drawn = autoencoder ? autoencoder->decode(x0, dtype) : x0;
  return resize(drawn, options_.image_size).clamp(-1, 1);
}

void Denoiser::set_guidance_decoder(std::shared_ptr<Autoencoder> autoencoder) {
  require(is_latent(), "a decoder for guidance is for one that works on latents, found one of pixels.");
  require(autoencoder->latent_channels() == autoencoder_->latent_channels() && autoencoder->downsampling() == autoencoder_->downsampling(),
          c10::str("expected a decoder for guidance of ", autoencoder_->latent_channels(), " channels that are ", autoencoder_->downsampling(), " times smaller than the image, found ",
                   autoencoder->latent_channels(), " and ", autoencoder->downsampling(), "."));
  guidance_decoder_ = std::move(autoencoder);
}

at::Tensor Denoiser::from_images(const at::Tensor& images, at::ScalarType dtype) {
  torch::NoGradGuard no_grad;
  const auto drawn = resize(images, options_.draw_size).clamp(-1, 1);
  return autoencoder_ ? autoencoder_->encode(drawn, dtype) : drawn;
}

std::vector<int64_t> Denoiser::sample_shape() const {
  const auto side = autoencoder_ ? options_.draw_size / autoencoder_->downsampling() : options_.draw_size;
  return {options_.unet.channels(), side, side};
}

void Denoiser::check_guidance_scale(double guidance_scale) const {
  require(guidance_scale == 1 || has_null_class(), "classifier-free guidance needs a null class or a text, which this one lacks; expected a guidance scale of 1.");
}

void Denoiser::set_text(const at::Tensor& text) {
  require(has_text(), "expected a U-Net that takes a text, found one that takes none.");
  require(text.dim() == 3 && text.size(0) == options_.num_classes + 1 && text.size(2) == options_.unet.text_channels(),
          c10::str("expected texts of ", options_.unet.text_channels(), " channels for ", options_.num_classes, " classes and the null class, found ", text.sizes(), "."));
  conditions_ = text.to(device_, at::kFloat);
}

at::Tensor Denoiser::conditions() const {
  if (conditions_.defined()) return conditions_;
  require(!has_text(), "the U-Net takes a text, and the texts of the classes have not been set.");
  require(options_.unet.num_class_embeds() > 0, "expected one with class embeddings or a text, found one that draws without a condition.");
  return net_->class_embedding->weight.detach().to(at::kFloat);
}

std::shared_ptr<Denoiser> Denoiser::with_own_conditions() const {
  auto copy = std::shared_ptr<Denoiser>(new Denoiser(*this));
  copy->conditions_ = conditions().detach().clone();
  copy->own_conditions_ = true;
  return copy;
}

void Denoiser::set_conditions(const at::Tensor& conditions) {
  TORCH_CHECK(own_conditions_, "set_conditions: for a denoiser with_own_conditions alone");
  require(conditions.sizes() == conditions_.sizes(), c10::str("expected conditions of shape ", conditions_.sizes(), ", found ", conditions.sizes(), "."));
  conditions_ = conditions.to(device_, at::kFloat);
}

// [B] -> [B, tokens, text_channels]
at::Tensor Denoiser::text_of(const at::Tensor& classes, at::ScalarType dtype) const {
  if (!has_text()) return {};
  return conditions().index_select(0, classes).to(dtype);
}

UNet Denoiser::copy_network() const {
  const Initialisation none(std::nullopt);
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
