#include <cmath>

#include <torch/torch.h>

#include "io/state_dict.h"
#include "io/weights.h"
#include "node/any_model.h"
#include "node/api.h"
#include "node/architectures.h"
#include "node/diffusion_options.h"
#include "node/network_checks.h"
#include "node/values.h"

namespace sparring::node {
namespace {

Finish finish_nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

std::array<double, 3> channel_values(const Napi::Object& options, const char* key) {
  const auto list = object(options, key).As<Napi::Array>();
  std::array<double, 3> result{};
  for (uint32_t c = 0; c < 3; ++c) result[c] = list.Get(c).ToNumber().DoubleValue();
  return result;
}

// All but the architecture.
ClassifierOptions input_options(const Napi::Object& options) {
  ClassifierOptions result;
  result.num_classes = integer(options, "numClasses");
  result.image_size = integer(options, "imageSize");
  result.input_size = options.Get("inputSize").IsUndefined() ? result.image_size : integer(options, "inputSize");
  require(in_range(result.num_classes, 1 << 20) && in_range(result.image_size) && in_range(result.input_size), "numClasses, imageSize and inputSize must be at least 1.");
  result.mean = channel_values(options, "mean");
  result.std = channel_values(options, "std");
  for (size_t c = 0; c < 3; ++c) {
    require(std::isfinite(result.mean[c]) && std::isfinite(result.std[c]) && result.std[c] > 0, "mean and std must be three numbers each, std above 0.");
  }
  return result;
}

ClassifierOptions classifier_options(const Napi::Object& options) {
  auto result = input_options(options);
  result.architecture = architecture(object(options, "architecture"));
  if (const auto* vit = std::get_if<ViTOptions>(&result.architecture)) {
    require(result.input_size % vit->patch() == 0, "patch must divide the side of the input.");
  }
  return result;
}

std::vector<std::string> texts(const Napi::Object& options, const char* key) {
  const auto list = object(options, key).As<Napi::Array>();
  std::vector<std::string> result;
  for (uint32_t i = 0; i < list.Length(); ++i) result.push_back(list.Get(i).ToString().Utf8Value());
  return result;
}

Layout layout(const std::string& name) {
  if (name == "same") return Layout::same;
  if (name == "transposed") return Layout::transposed;
  if (name == "squeezed") return Layout::squeezed;
  if (name == "convolution") return Layout::convolution;
  throw Error("usage", "Unknown layout '" + name + "'; expected same, transposed, squeezed or convolution.");
}

// {rules: [{ours, theirs: [...], layout}], ignored: [...], section?}; undefined: our own names.
KeyNames key_names(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const auto options = value.As<Napi::Object>();
  KeyNames result;
  result.ignored = texts(options, "ignored");
  if (!options.Get("section").IsUndefined()) result.section = text(options, "section");
  const auto rules = object(options, "rules").As<Napi::Array>();
  for (uint32_t i = 0; i < rules.Length(); ++i) {
    const auto rule = rules.Get(i).As<Napi::Object>();
    result.rules.push_back({text(rule, "ours"), texts(rule, "theirs"), layout(text(rule, "layout"))});
  }
  return result;
}

Napi::Value describe(Napi::Env env, const SafetensorsFile& file) {
  auto metadata = Napi::Object::New(env);
  for (const auto& [key, value] : file.metadata) metadata.Set(key, value);
  auto tensors = Napi::Array::New(env, file.tensors.size());
  for (uint32_t i = 0; i < file.tensors.size(); ++i) {
    const auto& [name, tensor] = file.tensors[i];
    auto shape = Napi::Array::New(env, static_cast<size_t>(tensor.dim()));
    for (int64_t d = 0; d < tensor.dim(); ++d) shape.Set(static_cast<uint32_t>(d), static_cast<double>(tensor.size(d)));
    auto item = Napi::Object::New(env);
    item.Set("name", name);
    item.Set("shape", shape);
    item.Set("dtype", c10::toString(tensor.scalar_type()));
    tensors.Set(i, item);
  }
  auto files = Napi::Array::New(env, file.files.size());
  for (uint32_t i = 0; i < file.files.size(); ++i) files.Set(i, file.files[i]);
  auto result = Napi::Object::New(env);
  result.Set("files", files);
  result.Set("metadata", metadata);
  result.Set("tensors", tensors);
  return result;
}

at::ScalarType storage_dtype(const std::string& name) {
  if (name == "fp32") return at::kFloat;
  if (name == "fp16") return at::kHalf;
  if (name == "bf16") return at::kBFloat16;
  throw Error("usage", "Unknown storage dtype '" + name + "'; expected fp32, fp16 or bf16.");
}

// (classifier, images, {precision}): what the frozen copy says of the images.
Work outputs(const Napi::CallbackInfo& info, at::Tensor (Classifier::*of)(const at::Tensor&, at::ScalarType)) {
  const auto classifier = unwrap<Classifier>(info[0], "classifier");
  return [classifier, of, batch = images(info[1], classifier->options().image_size), dtype = precision(info[2].As<Napi::Object>())](const JobContext&) -> Finish {
    torch::NoGradGuard no_grad;
    const auto pixels = batch.to(classifier->device()).permute({0, 3, 1, 2}).to(at::kFloat) / 255;  // [B, 3, H, W]
    const auto output = ((*classifier).*of)(pixels, dtype).cpu();
    return [output](Napi::Env env) { return to_float32_array(env, output); };
  };
}

}  // namespace

void register_models(Api& api) {
  api.add_async("createClassifier", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [spec = classifier_options(options), on = device(options), seed = seed(options)](const JobContext&) -> Finish {
      auto classifier = std::make_shared<Classifier>(spec, on, seed);
      return [classifier](Napi::Env env) { return wrap(env, classifier); };
    };
  });

  // openTorchScript(path, {numClasses, imageSize, inputSize?, mean, std, device})
  api.add_async("openTorchScript", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[1].As<Napi::Object>();
    return [path = info[0].ToString().Utf8Value(), spec = input_options(options), on = device(options)](const JobContext&) -> Finish {
      auto classifier = std::make_shared<Classifier>(spec, on, path);
      return [classifier](Napi::Env env) { return wrap(env, classifier); };
    };
  });

  // createDenoiser({unet, schedule, ..., device, seed, weights?}, autoencoder of a latent one or null): with `weights`, in which
  // precision they are, for one that is frozen
  api.add_async("createDenoiser", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto autoencoder = info[1].IsNull() ? nullptr : unwrap<Autoencoder>(info[1], "autoencoder");
    const auto weights = options.Get("weights").IsUndefined() ? at::kFloat : precision(options, "weights");
    return [spec = denoiser_options(options), autoencoder, on = device(options), seed = seed(options), weights](const JobContext&) -> Finish {
      auto denoiser = std::make_shared<Denoiser>(spec, on, seed, autoencoder, weights);
      return [denoiser](Napi::Env env) { return wrap(env, denoiser); };
    };
  });

  // freezeDenoiser(denoiser, {precision}): it will be neither trained nor saved
  api.add_async("freezeDenoiser", 2, [](const Napi::CallbackInfo& info) -> Work {
    return [denoiser = unwrap<Denoiser>(info[0], "generator"), dtype = precision(info[1].As<Napi::Object>())](const JobContext&) -> Finish {
      denoiser->freeze_weights(dtype);
      return finish_nothing();
    };
  });

  api.add_async("cloneClassifier", 1, [](const Napi::CallbackInfo& info) -> Work {
    return [source = unwrap<Classifier>(info[0], "classifier")](const JobContext&) -> Finish {
      auto copy = source->clone();
      return [copy](Napi::Env env) { return wrap(env, copy); };
    };
  });

  api.add_async("inspectWeights", 1, [](const Napi::CallbackInfo& info) -> Work {
    return [path = info[0].ToString().Utf8Value()](const JobContext&) -> Finish {
      auto file = read_weights(path);
      return [file](Napi::Env env) { return describe(env, file); };
    };
  });

  // loadWeights(model, path, {newHead, keyNames?}): with newHead, a head that the file lacks or has for other classes stays random
  api.add_async("loadWeights", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto model = any_model(info[0]);
    const auto options = info[2].As<Napi::Object>();
    std::vector<std::string> optional;
    std::vector<GridWeight> grids;
    if (model.classifier) {
      const auto& architecture = model.classifier->options().architecture;
      grids = grid_weights(architecture);
      if (boolean(options, "newHead")) optional = head_names(architecture);
    }
    return [model, path = info[1].ToString().Utf8Value(), optional, names = key_names(options.Get("keyNames")), grids](const JobContext&) -> Finish {
      load_into(model.module(), read_weights(path), optional, names, grids);
      model.touch();
      return finish_nothing();
    };
  });

  api.add_async("saveWeights", 4, [](const Napi::CallbackInfo& info) -> Work {
    std::map<std::string, std::string> metadata;
    const auto given = info[2].As<Napi::Object>();
    for (const auto& entry : given) metadata[entry.first.ToString().Utf8Value()] = static_cast<Napi::Value>(entry.second).ToString().Utf8Value();
    const auto model = any_model(info[0]);
    if (model.denoiser && model.denoiser->has_own_conditions()) throw Error("usage", "Saving a generator: expected the one that its conditions were copied from.");
    if (model.denoiser && model.denoiser->is_frozen()) throw Error("usage", "Saving a generator: its weights are frozen in the precision of sampling.", "Published generators are used as they are.");
    return [model, path = info[1].ToString().Utf8Value(), metadata,
            dtype = storage_dtype(info[3].ToString().Utf8Value())](const JobContext&) -> Finish {
      auto tensors = state_dict(model.module());
      for (auto& [name, tensor] : tensors) {
        if (tensor.is_floating_point()) tensor = tensor.to(dtype);
      }
      write_safetensors(path, tensors, metadata);
      return finish_nothing();
    };
  });

  api.add_async("parameterCount", 1, [](const Napi::CallbackInfo& info) -> Work {
    return [model = any_model(info[0])](const JobContext&) -> Finish {
      const auto count = model.parameter_count();
      return [count](Napi::Env env) { return Napi::Number::New(env, static_cast<double>(count)); };
    };
  });

  // predict(classifier, images, {precision}, control) -> logits, Float32Array [B * K]
  api.add_async("predict", 3, [](const Napi::CallbackInfo& info) { return outputs(info, &Classifier::forward_frozen); });

  // features(classifier, images, {precision}, control) -> what the head takes, Float32Array [B * D]
  api.add_async("features", 3, [](const Napi::CallbackInfo& info) { return outputs(info, &Classifier::features_frozen); });
}

}  // namespace sparring::node
