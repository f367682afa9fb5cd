// Discrete adversaries, and what a classifier says of images that are made to fool it.
#include <torch/torch.h>

#include "node/attack_options.h"
#include "node/fields.h"
#include "ops/pixels.h"

namespace sparring::node {

void register_attacks(Api& api) {
  // discreteAdversarial(classifier, discretiser, images, labels, {variant, norm, epsilon, stepSize, steps, randomStart, seeds, precision},
  // control) -> {images, probabilities of the 8-bit images}
  api.add_async("discreteAdversarial", 5, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[4].As<Napi::Object>();
    const auto attacked = attacked_images(info[0], info[2], info[3], options);
    return [attacked, q = discretiser(info[1], attacked.classifier->options().image_size, attacked.dtype), options = discrete_attack_options(options)](const JobContext& job) -> Finish {
      torch::NoGradGuard no_grad;
      const auto found = discrete_adversary(attacked.target(), q, options, job).images;
      const auto images = to_uint8(found * 2 - 1);
      auto stored = attacked;
      stored.images = images;
      const auto target = stored.target();
      const auto probabilities = at::softmax(target.network(target.images), 1).cpu();
      return [images, probabilities](Napi::Env env) -> Napi::Value {
        auto result = Napi::Object::New(env);
        result.Set("images", to_uint8_array(env, images));
        result.Set("probabilities", to_float32_array(env, probabilities));
        return result;
      };
    };
  });

  // checkDiscretiser(discretiser, imageSize): throws what the verb above would throw for it
  api.add_async("checkDiscretiser", 2, [](const Napi::CallbackInfo& info) -> Work {
    discretiser(info[0], info[1].As<Napi::Number>().Int64Value(), at::kFloat);
    return [](const JobContext&) -> Finish { return [](Napi::Env env) { return env.Undefined(); }; };
  });

  // attack(classifier, images, labels, {kind, norm, epsilon, stepSize, steps, randomStart, seeds, precision}, control) -> logits of the
  // attacked images, [B, K], which are not rounded to 8 bits
  api.add_async("attack", 4, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[3].As<Napi::Object>();
    return [attacked = attacked_images(info[0], info[1], info[2], options), attack = attack(options)](const JobContext& job) -> Finish {
      const auto target = attacked.target();
      const auto found = attack(target, job);
      torch::NoGradGuard no_grad;
      const auto logits = target.network(found).cpu();
      return [logits](Napi::Env env) { return to_float32_array(env, logits); };
    };
  });
}

}  // namespace sparring::node
