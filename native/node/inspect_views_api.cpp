// The operations and policies of views one by one, for the tests that compare them with reference implementations.
#include <torch/torch.h>

#include "distill/augment.h"
#include "distill/losses.h"
#include "distill/views/aug_mix.h"
#include "distill/views/pix_mix.h"
#include "distill/views/rand_augment.h"
#include "node/fields.h"
#include "node/view_policy.h"

namespace sparring::node {
namespace {

uint64_t whole(const Napi::Object& options, const char* key) { return static_cast<uint64_t>(integer(options, key)); }

PictureStep picture_step(const Napi::Object& options) {
  const auto name = text(options, "op");
  const auto* found = std::find(kPictureOpNames.begin(), kPictureOpNames.end(), name);
  if (found == kPictureOpNames.end()) throw Error("usage", "op: expected an operation on pictures, found " + name + ".");
  return {static_cast<PictureOp>(found - kPictureOpNames.begin()), number(options, "value")};
}

Napi::Value from_step(Napi::Env env, const PictureStep& step) {
  auto object = Napi::Object::New(env);
  object.Set("op", std::string(kPictureOpNames[static_cast<size_t>(step.op)]));
  object.Set("value", step.value);
  return object;
}

Napi::Value from_step(Napi::Env env, const std::optional<PictureStep>& step) { return step ? from_step(env, *step) : env.Null(); }

template <typename List, typename Item>
Napi::Array array_of(Napi::Env env, const List& list, const Item& item) {
  auto array = Napi::Array::New(env, list.size());
  for (size_t i = 0; i < list.size(); ++i) array.Set(static_cast<uint32_t>(i), item(list[i]));
  return array;
}

Napi::Array from_steps(Napi::Env env, const std::vector<PictureStep>& steps) {
  return array_of(env, steps, [&](const PictureStep& step) { return from_step(env, step); });
}

Napi::Value from_plan(Napi::Env env, const AugMixPlan& plan) {
  auto object = Napi::Object::New(env);
  object.Set("share", plan.share);
  object.Set("weights", array_of(env, plan.weights, [&](double weight) { return Napi::Number::New(env, weight); }));
  object.Set("chains", array_of(env, plan.chains, [&](const auto& chain) { return from_steps(env, chain); }));
  return object;
}

Napi::Value from_plan(Napi::Env env, const PixMixPlan& plan) {
  auto object = Napi::Object::New(env);
  object.Set("start", from_step(env, plan.start));
  object.Set("rounds", array_of(env, plan.rounds, [&](const PixMixRound& round) {
    auto item = Napi::Object::New(env);
    item.Set("change", from_step(env, round.change));
    item.Set("product", round.product);
    item.Set("own", round.own);
    item.Set("other", round.other);
    return item;
  }));
  for (const auto& [name, value] : {std::pair{"picture", plan.picture}, {"top", plan.top}, {"left", plan.left}}) object.Set(name, static_cast<double>(value));
  object.Set("mirrored", plan.mirrored);
  return object;
}

}  // namespace

void register_view_inspection(Api& api) {
  // pictureOp(images, {size, op, value, fill}) -> {pixels: [B, size, size, 3] in 0..255}
  api.add_async("pictureOp", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[1].As<Napi::Object>();
    return [batch = images(info[0], integer(options, "size")), step = picture_step(options), fill = static_cast<uint8_t>(integer(options, "fill"))](const JobContext&) -> Finish {
      auto result = batch.clone();
      for (int64_t i = 0; i < batch.size(0); ++i) {
        auto image = result[i];
        auto* pixels = image.data_ptr<uint8_t>();
        Picture picture{image.size(0), image.size(1), {pixels, pixels + image.numel()}};
        apply(picture, step, fill);
        std::copy(picture.pixels.begin(), picture.pixels.end(), pixels);
      }
      return finish_fields({{"pixels", result.to(at::kFloat)}});
    };
  });

  // policyViews(images, {size, policy, seed, step}) -> {pixels: [views, B, 3, size, size] in 0..1}
  api.add_async("policyViews", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[1].As<Napi::Object>();
    return [batch = images(info[0], integer(options, "size")), policy = view_policy(options), seed = whole(options, "seed"), step = whole(options, "step")](const JobContext&) -> Finish {
      return finish_fields({{"pixels", at::stack(PolicyViews(policy, batch.size(1))(augment(batch, {}, seed, step), seed, step))}});
    };
  });

  // policyPlan({policy, size, view, seed, step}) -> what is drawn for a view: steps (randaugment), or a plan
  api.add_sync("policyPlan", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const auto env = info.Env();
    const auto options = info[0].As<Napi::Object>();
    const auto size = integer(options, "size");
    Draws draws(whole(options, "seed"), whole(options, "step"), whole(options, "view"));
    switch (view_policy(options)) {
      case ViewPolicy::none: return env.Null();
      case ViewPolicy::rand_augment: return from_steps(env, draw_rand_augment(draws, size, size));
      case ViewPolicy::aug_mix: return from_plan(env, draw_aug_mix(draws, size, size));
      case ViewPolicy::pix_mix: return from_plan(env, draw_pix_mix(draws, size, size, integer(options, "spare")));
    }
    return env.Null();
  });

  // fractals({first, count, side}) -> {pixels: [count, side, side, 3] in 0..255}
  api.add_async("fractals", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [first = integer(options, "first"), count = integer(options, "count"), side = integer(options, "side")](const JobContext&) -> Finish {
      auto result = at::empty({count, side, side, 3});
      for (int64_t i = 0; i < count; ++i) {
        const auto picture = fractal(first + i, side);
        std::copy(picture.pixels.begin(), picture.pixels.end(), result[i].data_ptr<float>());
      }
      return finish_fields({{"pixels", result}});
    };
  });

  // consistencyGradient({logits, views, classes}) -> {loss, gradient [views, B, K]}
  api.add_async("consistencyGradient", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto views = integer(options, "views"), classes = integer(options, "classes");
    return [logits = floats(options.Get("logits"), {views, -1, classes})](const JobContext&) -> Finish {
      const auto x = logits.clone().requires_grad_(true);
      const auto loss = consistency_loss(x.unbind(0)).mean();
      return finish_fields({{"loss", loss.detach().reshape({1})}, {"gradient", torch::autograd::grad({loss}, {x})[0]}});
    };
  });
}

}  // namespace sparring::node
