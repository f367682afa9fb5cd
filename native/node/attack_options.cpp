#include "node/attack_options.h"

#include <cmath>

#include "attack/diffusion_discretiser.h"
#include "node/generation_options.h"

namespace sparring::node {
namespace {

void require_option(bool fits, const std::string& expected) {
  if (!fits) throw Error("usage", "Attack: expected " + expected + ".");
}

}  // namespace

Norm norm(const Napi::Object& options) {
  const auto name = text(options, "norm");
  if (name == "l2") return Norm::l2;
  if (name == "linf") return Norm::linf;
  throw Error("usage", "Unknown norm '" + name + "'; expected l2 or linf.");
}

AttackOptions attack_options(const Napi::Object& options) {
  const AttackOptions result{{norm(options), number(options, "epsilon")}, number(options, "randomStart"), integer(options, "steps"), number(options, "stepSize")};
  require_option(std::isfinite(result.ball.epsilon) && result.ball.epsilon >= 0, "an epsilon of at least 0");
  require_option(std::isfinite(result.step_size) && result.step_size >= 0, "a stepSize of at least 0");
  require_option(result.random_start >= 0 && result.random_start <= 1, "a randomStart from 0 to 1");
  require_option(result.steps >= 1 && result.steps <= 100000, "1 to 100000 steps");
  return result;
}

DiscreteAttackOptions discrete_attack_options(const Napi::Object& options) {
  DiscreteAttackOptions result{DiscreteVariant::adversarial, attack_options(options)};
  const auto variant = text(options, "variant");
  if (variant == "noise-only") result.variant = DiscreteVariant::noise_only;
  else if (variant == "sample-only") result.variant = DiscreteVariant::sample_only;
  else if (variant != "adversarial") throw Error("usage", "Unknown variant '" + variant + "'; expected adversarial, noise-only or sample-only.");
  return result;
}

AttackTarget AttackedImages::target() const {
  const auto device = classifier->device();
  const auto pixels = images.to(device).permute({0, 3, 1, 2}).to(at::kFloat).contiguous() / 255;  // [B, 3, H, W]
  return {frozen_network(*classifier, dtype), pixels, labels.to(device), seeds};
}

AttackedImages attacked_images(const Napi::Value& classifier, const Napi::Value& images, const Napi::Value& labels, const Napi::Object& options) {
  AttackedImages result;
  result.classifier = unwrap<Classifier>(classifier, "classifier");
  const auto& spec = result.classifier->options();
  result.images = node::images(images, spec.image_size);
  result.labels = node::labels(labels, spec.num_classes);
  result.seeds = integers(options, "seeds");
  result.dtype = precision(options);
  const auto count = result.images.size(0);
  if (result.labels.size(0) != count || static_cast<int64_t>(result.seeds.size()) != count) {
    throw Error("usage", c10::str("Attack: expected one label and one seed for each of ", count, " images, found ", result.labels.size(0), " and ", result.seeds.size(), "."));
  }
  return result;
}

namespace {

Discretiser generator_as_discretiser(const Napi::Object& given, int64_t image_size) {
  const auto denoiser = unwrap<Denoiser>(given.Get("generator"), "generator");
  if (denoiser->options().image_size != image_size) {
    throw Error("config", c10::str("Discretiser: the images have ", image_size, " px, the generator draws ", denoiser->options().image_size, " px."));
  }
  const auto sampling = sampling_options(object(given, "sampling"), *denoiser);
  if (sampling.start != SamplingStart::image) throw Error("usage", "Discretiser: expected sampling that starts from an image.");
  return diffusion_discretiser(denoiser, sampling);
}

}  // namespace

Discretiser discretiser(const Napi::Value& value, int64_t image_size, at::ScalarType dtype) {
  if (!value.IsExternal()) return generator_as_discretiser(value.As<Napi::Object>(), image_size);
  auto vqgan = unwrap<Autoencoder>(value, "autoencoder");
  if (!vqgan->has_codes()) throw Error("usage", "Discretiser: this autoencoder has no codes.", "Use one of kind vqgan.");
  const auto factor = vqgan->downsampling();
  if (image_size % factor != 0) {
    throw Error("config", c10::str("Discretiser: the images must have a side that is a multiple of ", factor, " px, which its codes stand for, found ", image_size, "."),
                "Set data.imageSize to a multiple, or use a discretiser with fewer levels.");
  }
  return vqgan_discretiser(vqgan, dtype);
}

Attack attack(const Napi::Object& options) {
  const auto kind = text(options, "kind");
  const auto given = attack_options(options);
  if (kind == "fgsm") return [given](const AttackTarget& target, const JobContext&) { return fgsm(target, given.ball); };
  if (kind == "pgd") return [given](const AttackTarget& target, const JobContext& job) { return pgd(target, given, job); };
  if (kind == "apgd") return [given](const AttackTarget& target, const JobContext& job) { return apgd(target, given, job); };
  throw Error("usage", "Unknown attack '" + kind + "'; expected fgsm, pgd or apgd.");
}

}  // namespace sparring::node
