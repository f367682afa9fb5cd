#include "models/autoencoder.h"

#include "models/classifier.h"
#include "models/initialisation.h"

namespace sparring {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

std::variant<AutoencoderKL, VQGAN, TAESD> make_network(const AutoencoderOptions& options, at::Device device, std::optional<uint64_t> seed) {
  const Initialisation initialisation(seed);
  using Network = std::variant<AutoencoderKL, VQGAN, TAESD>;
  auto network = std::visit(Overloaded{[](const AutoencoderKLOptions& kl) -> Network { return AutoencoderKL(kl); },
                                       [](const VQGANOptions& vqgan) -> Network { return VQGAN(vqgan); },
                                       [](const TAESDOptions& taesd) -> Network { return TAESD(taesd); }},
                            options);
  std::visit(
      [&](auto& net) {
        net->to(device);
        to_channels_last(*net);
      },
      network);
  return network;
}

}  // namespace

Autoencoder::Autoencoder(AutoencoderOptions options, at::Device device, std::optional<uint64_t> seed)
    : options_(std::move(options)), device_(device), net_(make_network(options_, device, seed)) {}

at::Tensor Autoencoder::encode(const at::Tensor& images, at::ScalarType dtype, const at::Tensor& noise) {
  TORCH_CHECK(!noise.defined() || has_posterior(), "Autoencoder: only a KL autoencoder has a posterior to draw from");
  return std::visit(Overloaded{[&](AutoencoderKL& kl) { return kl->encode(images, noise); },
                               [&](auto& net) { return net->encode(images); }},
                    frozen(dtype));
}

at::Tensor Autoencoder::decode(const at::Tensor& latents, at::ScalarType dtype) {
  return std::visit([&](auto& net) { return net->decode(latents); }, frozen(dtype));
}

Quantised Autoencoder::quantise(const at::Tensor& latents) const {
  return vqgan().quantise(latents);
}

VQGANImpl& Autoencoder::vqgan() const {
  TORCH_CHECK(has_codes(), "Autoencoder: only a VQGAN has codes");
  return *std::get<VQGAN>(net_).ptr();
}

std::shared_ptr<Autoencoder> Autoencoder::clone() const {
  auto copy = std::make_shared<Autoencoder>(options_, device_, std::nullopt);
  copy_weights(module(), copy->module());
  return copy;
}

torch::nn::Module& Autoencoder::module() const {
  return std::visit([](const auto& net) -> torch::nn::Module& { return *net.ptr(); }, net_);
}

at::Tensor Autoencoder::reconstruct(const at::Tensor& images) {
  return std::visit(Overloaded{[&](AutoencoderKL& kl) { return kl->decode(kl->encode(images, {})); },
                               [&](VQGAN& vqgan) { return vqgan->decode(vqgan->quantise(vqgan->encode(images)).latents); },
                               [&](TAESD& taesd) { return taesd->decode(taesd->encode(images)); }},
                    net_);
}

int64_t Autoencoder::latent_channels() const {
  return std::visit(Overloaded{[](const AutoencoderKLOptions& kl) { return kl.shape().latent_channels(); },
                               [](const VQGANOptions& vqgan) { return vqgan.code_channels(); },
                               [](const TAESDOptions& taesd) { return taesd.latent_channels(); }},
                    options_);
}

int64_t Autoencoder::downsampling() const {
  const auto levels = std::visit(Overloaded{[](const TAESDOptions& taesd) { return taesd.encoder_blocks().size(); },
                                            [](const auto& other) { return other.shape().block_channels().size(); }},
                                 options_);
  return int64_t{1} << (levels - 1);
}

Autoencoder::Network& Autoencoder::frozen(at::ScalarType dtype) {
  if (!frozen_ || frozen_dtype_ != dtype) {
    frozen_ = std::make_unique<Network>(make_network(options_, device_, std::nullopt));
    std::visit(
        [&](auto& net) {
          copy_weights(module(), *net);
          freeze(*net, dtype);
        },
        *frozen_);
    frozen_dtype_ = dtype;
  }
  return *frozen_;
}

}  // namespace sparring
