// What a generator is told of the classes, class embeddings or texts, as something that can be changed.
#include <algorithm>

#include <torch/torch.h>

#include "guidance/adversarial_conditions.h"
#include "io/safetensors.h"
#include "node/api.h"
#include "node/generation_options.h"
#include "node/values.h"

namespace sparring::node {
namespace {

constexpr const char* kConditions = "conditions";

at::Tensor read_conditions(const std::string& path, at::IntArrayRef shape) {
  const auto file = read_safetensors(path);
  const auto found = std::find_if(file.tensors.begin(), file.tensors.end(), [](const auto& item) { return item.first == kConditions; });
  if (found == file.tensors.end() || found->second.sizes() != shape || !found->second.is_floating_point()) {
    throw Error("weights", c10::str(path, ": expected '", kConditions, "' of shape ", shape, ", found ",
                                    found == file.tensors.end() ? "none" : c10::str(found->second.sizes(), " of ", found->second.scalar_type()), "."),
                "The file belongs to another generator; delete it to have it made again.");
  }
  return found->second.to(at::kFloat).clone();
}

}  // namespace

void register_conditions(Api& api) {
  // ownConditions(denoiser) -> a denoiser with the same weights and conditions of its own
  api.add_async("ownConditions", 1, [](const Napi::CallbackInfo& info) -> Work {
    return [denoiser = unwrap<Denoiser>(info[0], "generator")](const JobContext&) -> Finish {
      auto copy = denoiser->with_own_conditions();
      return [copy](Napi::Env env) { return wrap(env, copy); };
    };
  });

  api.add_async("saveConditions", 2, [](const Napi::CallbackInfo& info) -> Work {
    return [denoiser = unwrap<Denoiser>(info[0], "generator"), path = info[1].ToString().Utf8Value()](const JobContext&) -> Finish {
      write_safetensors(path, {{kConditions, denoiser->conditions().contiguous()}}, {{"sparring.kind", kConditions}});
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });

  // loadConditions(denoiser, path): into one that ownConditions() gave
  api.add_async("loadConditions", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    if (!denoiser->has_own_conditions()) throw Error("usage", "loadConditions: expected a generator with conditions of its own, found another.");
    return [denoiser, path = info[1].ToString().Utf8Value()](const JobContext&) -> Finish {
      denoiser->set_conditions(read_conditions(path, denoiser->conditions().sizes()));
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });

  // opposeClassifier(denoiser, classifier, {steps, sampler, eta, guidanceScale, precision, start, seeds, iterations, learningRate,
  // batchSize, memoryBytes}, control): changes the conditions of one that ownConditions() gave
  api.add_async("opposeClassifier", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto classifier = unwrap<Classifier>(info[1], "classifier");
    const auto given = info[2].As<Napi::Object>();
    if (!denoiser->has_own_conditions()) throw Error("usage", "opposeClassifier: expected a generator with conditions of its own, found another.");
    require_same_inputs(*denoiser, {nullptr, classifier});
    AdversarialOptions options{sampling_options(given, *denoiser), integers(given, "seeds"), integer(given, "iterations"), number(given, "learningRate"),
                               integer(given, "batchSize"), integer(given, "memoryBytes")};
    if (options.sampling.start != SamplingStart::noise) throw Error("usage", "opposeClassifier: expected a start from noise, found another.");
    if (options.seeds.empty() || options.seeds.size() % static_cast<size_t>(denoiser->options().num_classes) != 0) {
      throw Error("usage", c10::str("opposeClassifier: expected as many seeds for each of ", denoiser->options().num_classes, " classes, found ", options.seeds.size(), "."));
    }
    return [denoiser, classifier, options](const JobContext& job) -> Finish {
      oppose(*denoiser, classifier, options, job);
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });
}

}  // namespace sparring::node
