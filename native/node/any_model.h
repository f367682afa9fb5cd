// A handle of JavaScript that stands for a network of any kind.
#pragma once

#include <memory>

#include "diffusion/denoiser.h"
#include "models/autoencoder.h"
#include "models/classifier.h"
#include "models/clip_text.h"
#include "node/values.h"

namespace sparring::node {

// Any network, for the verbs that treat all alike.
struct AnyModel {
  std::shared_ptr<Classifier> classifier = nullptr;
  std::shared_ptr<Denoiser> denoiser = nullptr;
  std::shared_ptr<Autoencoder> autoencoder = nullptr;
  std::shared_ptr<ClipTextImpl> text_encoder = nullptr;

  torch::nn::Module& module() const {
    if (text_encoder) return *text_encoder;
    if (autoencoder) return autoencoder->module();
    return classifier ? classifier->module() : denoiser->module();
  }
  int64_t parameter_count() const {
    if (classifier) return classifier->parameter_count();
    int64_t count = 0;
    for (const auto& parameter : module().parameters()) count += parameter.numel();
    return count;
  }
  void touch() const {
    if (classifier) classifier->touch();
    if (denoiser) denoiser->touch();
    if (autoencoder) autoencoder->touch();
  }
};

inline AnyModel any_model(const Napi::Value& value) {
  auto* base = value.IsExternal() ? value.As<Napi::External<HandleBase>>().Data() : nullptr;
  if (dynamic_cast<Handle<Denoiser>*>(base)) return {.denoiser = unwrap<Denoiser>(value, "denoiser")};
  if (dynamic_cast<Handle<Autoencoder>*>(base)) return {.autoencoder = unwrap<Autoencoder>(value, "autoencoder")};
  if (dynamic_cast<Handle<ClipTextImpl>*>(base)) return {.text_encoder = unwrap<ClipTextImpl>(value, "text encoder")};
  return {.classifier = unwrap<Classifier>(value, "classifier")};
}

}  // namespace sparring::node
