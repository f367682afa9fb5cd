// Steps and intermediate images of attacks, for the tests. Images are [B, 3, size, size] in 0..1.
#include <torch/torch.h>

#include "node/attack_options.h"
#include "node/fields.h"

namespace sparring::node {
namespace {

at::Tensor planes_of(const Napi::Object& options, const char* key) {
  const auto size = integer(options, "size");
  return floats(options.Get(key), {-1, 3, size, size});
}

}  // namespace

void register_attack_inspection(Api& api) {
  // attackStep({x, centre, gradient, norm, epsilon, stepSize, size}) -> {x}: after one step and the way back into the ball
  api.add_async("attackStep", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [x = planes_of(options, "x"), centre = planes_of(options, "centre"), gradient = planes_of(options, "gradient"), ball = Ball{norm(options), number(options, "epsilon")},
            step_size = number(options, "stepSize")](const JobContext&) -> Finish {
      return finish_fields({{"x", project(x + step_size * steepest(gradient, ball.norm), centre, ball)}});
    };
  });

  // attackStart({centre, norm, epsilon, randomStart, seeds, size}) -> {x}
  api.add_async("attackStart", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [centre = planes_of(options, "centre"), ball = Ball{norm(options), number(options, "epsilon")}, probability = number(options, "randomStart"),
            seeds = integers(options, "seeds")](const JobContext&) -> Finish {
      return finish_fields({{"x", random_start(centre, ball, probability, seeds)}});
    };
  });

  // attackedImages(classifier, images, labels, options of attack) -> {images, losses}
  api.add_async("attackedImages", 4, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[3].As<Napi::Object>();
    return [attacked = attacked_images(info[0], info[1], info[2], options), attack = attack(options)](const JobContext& job) -> Finish {
      const auto target = attacked.target();
      const auto found = attack(target, job);
      return finish_fields({{"images", found}, {"losses", loss_gradient(target.network, found, target.labels).losses}});
    };
  });

  // discreteSteps(classifier, discretiser, images, labels, options of discreteAdversarial) -> {reconstruction, moved, images}
  api.add_async("discreteSteps", 5, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[4].As<Napi::Object>();
    const auto attacked = attacked_images(info[0], info[2], info[3], options);
    return [attacked, q = discretiser(info[1], attacked.classifier->options().image_size, attacked.dtype), options = discrete_attack_options(options)](const JobContext& job) -> Finish {
      const auto found = discrete_adversary(attacked.target(), q, options, job);
      return finish_fields({{"reconstruction", found.reconstruction}, {"moved", found.moved}, {"images", found.images}});
    };
  });

  // discretise(discretiser, {x, seeds, size, precision}) -> {images}
  api.add_async("discretise", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[1].As<Napi::Object>();
    return [q = discretiser(info[0], integer(options, "size"), precision(options)), x = planes_of(options, "x"), seeds = integers(options, "seeds")](const JobContext& job) -> Finish {
      return finish_fields({{"images", q(x, seeds, job)}});
    };
  });
}

}  // namespace sparring::node
