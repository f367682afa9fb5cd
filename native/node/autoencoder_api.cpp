// Autoencoders: images to latents and back, and the codes of a VQGAN. Images are square, [B, size, size, 3] uint8 or, for
// the gradients, [B, 3, size, size] fp32 in -1..1; latents are [B, C, size / f, size / f] fp32.
#include <cmath>

#include <torch/torch.h>

#include "models/autoencoder.h"
#include "node/fields.h"
#include "node/network_checks.h"
#include "ops/pixels.h"
#include "ops/random.h"

namespace sparring::node {
namespace {

AutoencoderShape shape(const Napi::Object& options) {
  const auto channels = integers(options, "blockChannels"), attention = integers(options, "attention");
  const auto layers = integer(options, "layersPerBlock"), groups = integer(options, "normGroups"), latent = integer(options, "latentChannels");
  require(all_in_range(channels) && attention.size() == channels.size(), "blockChannels must be 1 to 8 numbers of at least 1, and attention as many.");
  require(in_range(layers, 100) && in_range(groups) && in_range(latent), "layersPerBlock, normGroups and latentChannels must be at least 1.");
  for (const auto width : channels) require(width % groups == 0, "normGroups must divide every level of blockChannels.");
  return AutoencoderShape()
      .block_channels(channels)
      .attention(std::vector<bool>(attention.begin(), attention.end()))
      .layers_per_block(layers)
      .norm_groups(groups)
      .latent_channels(latent);
}

AutoencoderOptions autoencoder_options(const Napi::Object& options) {
  const auto kind = text(options, "kind");
  if (kind == "kl") {
    const auto scaling = number(options, "scalingFactor");
    require(std::isfinite(scaling) && scaling > 0, "scalingFactor must be above 0.");
    return AutoencoderKLOptions().shape(shape(options)).scaling_factor(scaling);
  }
  if (kind == "vqgan") {
    const auto codes = integer(options, "numCodes"), channels = integer(options, "codeChannels");
    require(in_range(codes, 1 << 20) && in_range(channels), "numCodes and codeChannels must be at least 1.");
    return VQGANOptions().shape(shape(options)).num_codes(codes).code_channels(channels);
  }
  if (kind == "taesd") {
    const auto width = integer(options, "width"), latent = integer(options, "latentChannels");
    const auto encoder = integers(options, "encoderBlocks"), decoder = integers(options, "decoderBlocks");
    require(in_range(width) && in_range(latent), "width and latentChannels must be at least 1.");
    require(all_in_range(encoder, 100) && all_in_range(decoder, 100) && encoder.size() == decoder.size(), "encoderBlocks must be 1 to 8 numbers of at least 1, and decoderBlocks as many.");
    return TAESDOptions().width(width).encoder_blocks(encoder).decoder_blocks(decoder).latent_channels(latent);
  }
  throw Error("usage", "Unknown kind of autoencoder '" + kind + "'; expected kl, vqgan or taesd.");
}

std::shared_ptr<Autoencoder> autoencoder(const Napi::Value& value) { return unwrap<Autoencoder>(value, "autoencoder"); }

std::shared_ptr<Autoencoder> with_codes(const Napi::Value& value) {
  auto model = autoencoder(value);
  if (!model->has_codes()) throw Error("usage", "Quantisation: this autoencoder has no codes.", "Use one of kind vqgan.");
  return model;
}

int64_t image_size(const Napi::Object& options, const Autoencoder& model) {
  const auto size = integer(options, "size");
  if (!in_range(size) || size % model.downsampling() != 0) {
    throw Error("usage", "Autoencoder: the images must have a side that is a multiple of " + std::to_string(model.downsampling()) +
                             " pixels, found " + std::to_string(size) + ".");
  }
  return size;
}

// Float32Array -> [B, channels, side, side] on the device of the model
at::Tensor planes(const Napi::Value& value, const char* what, int64_t channels, int64_t side, const Autoencoder& model) {
  const auto flat = floats(value, {-1});
  const auto each = channels * side * side;
  if (flat.numel() == 0 || flat.numel() % each != 0) {
    throw Error("usage", std::string(what) + ": expected a multiple of " + std::to_string(each) + " numbers (" + std::to_string(channels) + "x" +
                             std::to_string(side) + "x" + std::to_string(side) + ") but received " + std::to_string(flat.numel()) + ".");
  }
  return flat.view({-1, channels, side, side}).to(model.device());
}

at::Tensor latents(const Napi::Value& value, const Napi::Object& options, const Autoencoder& model) {
  return planes(value, "Latents", model.latent_channels(), image_size(options, model) / model.downsampling(), model);
}

// The gradient with respect to `x` of the sum of output * direction.
template <typename Function>
Finish gradient(const char* output_name, const at::Tensor& x, const at::Tensor& direction, Function function) {
  const auto input = x.clone().requires_grad_(true);
  const at::Tensor output = function(input);
  if (output.sizes() != direction.sizes()) {
    throw Error("usage", c10::str("direction: expected the shape of the output, ", output.sizes(), ", found ", direction.sizes(), "."));
  }
  return finish_fields({{output_name, output.detach()}, {"gradient", torch::autograd::grad({output}, {input}, {direction})[0]}});
}

void register_gradients(Api& api) {
  // encodeGradient(autoencoder, {x: images, noise: of the posterior or null, direction, size, precision}) -> {latents, gradient}
  api.add_async("encodeGradient", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto model = autoencoder(info[0]);
    const auto options = info[1].As<Napi::Object>();
    const auto noise = options.Get("noise").IsNull() ? at::Tensor() : latents(options.Get("noise"), options, *model);
    return [model, noise, x = planes(options.Get("x"), "Images", 3, image_size(options, *model), *model),
            direction = latents(options.Get("direction"), options, *model), dtype = precision(options)](const JobContext&) -> Finish {
      return gradient("latents", x, direction, [&](const at::Tensor& images) { return model->encode(images, dtype, noise); });
    };
  });

  // decodeGradient(autoencoder, {x: latents, direction, size, precision}) -> {images, gradient}
  api.add_async("decodeGradient", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto model = autoencoder(info[0]);
    const auto options = info[1].As<Napi::Object>();
    return [model, x = latents(options.Get("x"), options, *model),
            direction = planes(options.Get("direction"), "direction", 3, image_size(options, *model), *model),
            dtype = precision(options)](const JobContext&) -> Finish {
      return gradient("images", x, direction, [&](const at::Tensor& z) { return model->decode(z, dtype); });
    };
  });

  // quantiseGradient(autoencoder, {x: latents, direction, size}) -> {latents, gradient}
  api.add_async("quantiseGradient", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto model = with_codes(info[0]);
    const auto options = info[1].As<Napi::Object>();
    return [model, x = latents(options.Get("x"), options, *model), direction = latents(options.Get("direction"), options, *model)](const JobContext&) -> Finish {
      return gradient("latents", x, direction, [&](const at::Tensor& z) { return model->quantise(z).latents; });
    };
  });
}

}  // namespace

void register_autoencoders(Api& api) {
  api.add_async("createAutoencoder", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [spec = autoencoder_options(options), on = device(options), seed = seed(options)](const JobContext&) -> Finish {
      auto model = std::make_shared<Autoencoder>(spec, on, seed);
      return [model](Napi::Env env) { return wrap(env, model); };
    };
  });

  // encodeImages(autoencoder, images, {size, seeds: one per image, or null, precision}, control) -> latents
  api.add_async("encodeImages", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto model = autoencoder(info[0]);
    const auto options = info[2].As<Napi::Object>();
    const auto size = image_size(options, *model);
    const auto batch = images(info[1], size);
    const bool draws = !options.Get("seeds").IsNull();
    const auto seeds = draws ? integers(options, "seeds") : std::vector<int64_t>();
    if (draws && !model->has_posterior()) throw Error("usage", "encodeImages: seeds are for an autoencoder of kind kl; the others have no posterior to draw from.");
    if (draws && static_cast<int64_t>(seeds.size()) != batch.size(0)) throw Error("usage", "encodeImages: as many seeds as images are needed.");
    return [model, size, batch, draws, seeds, dtype = precision(options)](const JobContext&) -> Finish {
      torch::NoGradGuard no_grad;
      const auto side = size / model->downsampling();
      const auto noise = draws ? seeded_normal(seeds, {model->latent_channels(), side, side}, Stream::posterior).to(model->device()) : at::Tensor();
      const auto result = model->encode(from_uint8(batch, model->device()), dtype, noise).cpu();
      return [result](Napi::Env env) { return to_float32_array(env, result); };
    };
  });

  // decodeLatents(autoencoder, latents, {size, precision}, control) -> images
  api.add_async("decodeLatents", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto model = autoencoder(info[0]);
    const auto options = info[2].As<Napi::Object>();
    return [model, z = latents(info[1], options, *model), dtype = precision(options)](const JobContext&) -> Finish {
      torch::NoGradGuard no_grad;
      const auto result = to_uint8(model->decode(z, dtype));
      return [result](Napi::Env env) { return to_uint8_array(env, result); };
    };
  });

  // quantise(autoencoder, latents, {size}, control) -> {latents, indices}
  api.add_async("quantise", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto model = with_codes(info[0]);
    return [model, z = latents(info[1], info[2].As<Napi::Object>(), *model)](const JobContext&) -> Finish {
      torch::NoGradGuard no_grad;
      const auto quantised = model->quantise(z);
      return finish_fields({{"latents", quantised.latents}, {"indices", quantised.indices}});
    };
  });

  register_gradients(api);
}

}  // namespace sparring::node
