// What networks and weights files are like: costs of a forward pass, and whether every weight is a number.
#include <algorithm>

#include <torch/torch.h>

#include "io/weights.h"
#include "models/profile.h"
#include "node/any_model.h"
#include "node/api.h"

namespace sparring::node {
namespace {

// Puts a network into evaluation mode and back, so that batch norm leaves its statistics alone.
class Evaluation {
 public:
  explicit Evaluation(torch::nn::Module& module) : module_(module), was_training_(module.is_training()) { module_.eval(); }
  ~Evaluation() { module_.train(was_training_); }
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  torch::nn::Module& module_;
  bool was_training_;
};

using Shape = std::vector<int64_t>;

// Of what goes in, without the batch.
Shape input_of(const AnyModel& model, int64_t size) {
  if (model.denoiser) return model.denoiser->sample_shape();
  if (model.classifier) size = model.classifier->options().image_size;
  return {3, size, size};
}

Profile profile_classifier(Classifier& classifier, const Shape& input) {
  return profile(classifier.module(), [&] { return classifier.forward(at::zeros(input, classifier.device()).unsqueeze(0)); });
}

Profile profile_denoiser(Denoiser& denoiser, const Shape& input) {
  return profile(denoiser.module(), [&] {
    const auto x = at::zeros(input, denoiser.device()).unsqueeze(0);
    const auto zero = at::zeros({1}, x.options().dtype(at::kLong));
    return denoiser.forward(x, zero, zero);
  });
}

Profile profile_autoencoder(Autoencoder& autoencoder, const Shape& input) {
  const auto factor = autoencoder.downsampling();
  if (input[1] < 1 || input[1] % factor != 0) throw Error("usage", c10::str("profile: expected images with a side that is a multiple of ", factor, " px, found ", input[1], "."));
  return profile(autoencoder.module(), [&] { return autoencoder.reconstruct(at::zeros(input, autoencoder.device()).unsqueeze(0)); });
}

Profile profile_model(const AnyModel& model, const Shape& input) {
  if (model.text_encoder) throw Error("usage", "profile: expected a classifier, a generator or an autoencoder but received a text encoder.");
  const Evaluation evaluation(model.module());
  if (model.classifier) return profile_classifier(*model.classifier, input);
  if (model.denoiser) return profile_denoiser(*model.denoiser, input);
  return profile_autoencoder(*model.autoencoder, input);
}

Napi::Value shape_of(Napi::Env env, const Shape& shape) {
  auto result = Napi::Array::New(env, shape.size());
  for (uint32_t i = 0; i < shape.size(); ++i) result.Set(i, static_cast<double>(shape[i]));
  return result;
}

Napi::Value to_js(Napi::Env env, const Profile& profile, const Shape& input) {
  auto layers = Napi::Array::New(env, profile.layers.size());
  for (uint32_t i = 0; i < profile.layers.size(); ++i) {
    const auto& layer = profile.layers[i];
    auto item = Napi::Object::New(env);
    item.Set("name", layer.name);
    item.Set("operation", layer.operation);
    item.Set("output", shape_of(env, layer.output));
    item.Set("parameters", static_cast<double>(layer.parameters));
    item.Set("flops", static_cast<double>(layer.flops));
    item.Set("bytes", static_cast<double>(layer.bytes));
    layers.Set(i, item);
  }
  auto result = Napi::Object::New(env);
  result.Set("input", shape_of(env, input));
  result.Set("layers", layers);
  result.Set("flops", static_cast<double>(profile.flops));
  result.Set("peakBytes", static_cast<double>(profile.peak_bytes));
  result.Set("savedBytes", static_cast<double>(profile.saved_bytes));
  return result;
}

// Elements that are NaN or infinite, looked at in parts, so that 16-bit weights are never held in 32 bits as a whole.
int64_t non_finite(const at::Tensor& tensor, const JobContext& job) {
  constexpr int64_t kPart = int64_t{1} << 22;
  const auto flat = tensor.view({-1});
  int64_t count = 0;
  for (int64_t begin = 0; begin < flat.numel(); begin += kPart) {
    job.check();
    const auto part = flat.narrow(0, begin, std::min(kPart, flat.numel() - begin)).to(at::kFloat);
    count += part.numel() - at::isfinite(part).sum().item<int64_t>();
  }
  return count;
}

}  // namespace

void register_examination(Api& api) {
  // profile(model, {size of the images of an autoencoder}, control) -> {input, layers, flops, peakBytes, savedBytes} of one image
  api.add_async("profile", 2, [](const Napi::CallbackInfo& info) -> Work {
    return [model = any_model(info[0]), size = integer(info[1].As<Napi::Object>(), "size")](const JobContext&) -> Finish {
      const auto input = input_of(model, size);
      const auto result = profile_model(model, input);
      return [result, input](Napi::Env env) { return to_js(env, result, input); };
    };
  });

  // nonFiniteWeights(path, control) -> [{name, count}]: reads every byte
  api.add_async("nonFiniteWeights", 1, [](const Napi::CallbackInfo& info) -> Work {
    return [path = info[0].ToString().Utf8Value()](const JobContext& job) -> Finish {
      std::vector<std::pair<std::string, int64_t>> found;
      const auto file = read_weights(path);
      for (size_t i = 0; i < file.tensors.size(); ++i) {
        const auto& [name, tensor] = file.tensors[i];
        const auto count = tensor.is_floating_point() ? non_finite(tensor, job) : 0;
        if (count > 0) found.emplace_back(name, count);
        file.release(tensor);
        job.progress(static_cast<int64_t>(i) + 1, static_cast<int64_t>(file.tensors.size()));
      }
      return [found](Napi::Env env) {
        auto result = Napi::Array::New(env, found.size());
        for (uint32_t i = 0; i < found.size(); ++i) {
          auto item = Napi::Object::New(env);
          item.Set("name", found[i].first);
          item.Set("count", static_cast<double>(found[i].second));
          result.Set(i, item);
        }
        return result;
      };
    };
  });
}

}  // namespace sparring::node
