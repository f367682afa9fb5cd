// Intermediate values of noise schedules, samplers and U-Nets, for the tests that compare them with diffusers.
#include <torch/torch.h>

#include "diffusion/sampler.h"
#include "io/state_dict.h"
#include "io/weights.h"
#include "models/classifier.h"
#include "node/diffusion_options.h"
#include "node/fields.h"

namespace sparring::node {
namespace {

at::Tensor optional_floats(const Napi::Object& options, const char* key, at::IntArrayRef shape) {
  const Napi::Value value = options.Get(key);
  return value.IsNull() ? at::Tensor() : floats(value, shape);
}

}  // namespace

void register_diffusion_inspection(Api& api) {
  // noiseSchedule({trainTimesteps, betas, ...}) -> {alphasCumprod}
  api.add_async("noiseSchedule", 1, [](const Napi::CallbackInfo& info) -> Work {
    return [options = schedule_options(info[0].As<Napi::Object>())](const JobContext&) -> Finish {
      const NoiseSchedule schedule(options);
      auto alphas = at::empty({schedule.num_train_timesteps()}, at::kFloat);
      for (int64_t t = 0; t < schedule.num_train_timesteps(); ++t) alphas[t] = schedule.alpha_bar(t);
      return finish_fields({{"alphasCumprod", alphas}});
    };
  });

  // samplerTrajectory({schedule, sampler, prediction, clip, noise [B * ...], image, seeds, outputs [steps, B * ...], stepNoise}) ->
  // {timesteps, alphaBars, trajectory [steps + 1, B * ...]}: x before each step and at the end, for given outputs of a
  // network. Predicted images are clamped to -clip..clip if clip is above 0; noise within steps is stepNoise, or from seeds.
  api.add_async("samplerTrajectory", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto seeds = integers(options, "seeds");
    const auto batch = static_cast<int64_t>(seeds.size());
    const auto noise = floats(options.Get("noise"), {batch, -1});
    const auto size = noise.size(1);
    return [schedule = schedule_options(object(options, "schedule")), sampler_options = sampler_options(object(options, "sampler")),
            type = prediction_type(options), clip = number(options, "clip"), noise, image = optional_floats(options, "image", {batch, size}), seeds,
            outputs = floats(options.Get("outputs"), {-1, batch, size}),
            step_noise = optional_floats(options, "stepNoise", {-1, batch, size})](const JobContext&) -> Finish {
      const NoiseSource source = step_noise.defined() ? [step_noise](size_t i) { return step_noise[static_cast<int64_t>(i)]; }
                                                      : seeded_noise(seeds, {noise.size(1)}, at::kCPU);
      const auto sampler = make_sampler(NoiseSchedule(schedule), sampler_options, source);
      if (outputs.size(0) != static_cast<int64_t>(sampler->steps().size())) {
        throw Error("usage", "outputs: expected those of " + std::to_string(sampler->steps().size()) + " steps, found " + std::to_string(outputs.size(0)) + ".");
      }
      if (image.defined()) sampler->start_from(image);
      std::vector<at::Tensor> trajectory{sampler->start(noise)};
      std::vector<double> timesteps, alpha_bars;
      for (size_t i = 0; i < sampler->steps().size(); ++i) {
        const auto& step = sampler->steps()[i];
        auto prediction = prediction_from(type, outputs[static_cast<int64_t>(i)], trajectory.back(), place_of(step));
        if (clip > 0) prediction.x0 = prediction.x0.clamp(-clip, clip);
        trajectory.push_back(sampler->step(trajectory.back(), prediction, i));
        timesteps.push_back(step.timestep);
        alpha_bars.push_back(step.alpha_bar);
      }
      return finish_fields({{"timesteps", at::tensor(timesteps)}, {"alphaBars", at::tensor(alpha_bars)}, {"trajectory", at::stack(trajectory)}});
    };
  });

  // unetGradient({unet, weights, x [B, channels, size, size], size, timesteps, classes, text, direction, precision}) ->
  // {output, gradient, textGradient}: a frozen network from a file. classes and text are null where it has none.
  api.add_async("unetGradient", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto spec = unet_options(object(options, "unet"));
    const auto size = integer(options, "size");
    const auto factor = int64_t{1} << (spec.block_channels().size() - 1);
    if (size < 1 || size % factor != 0) throw Error("usage", "size: expected a multiple of " + std::to_string(factor) + ", found " + std::to_string(size) + ".");
    const auto timesteps = at::tensor(integers(options, "timesteps"), at::kFloat);
    const auto batch = timesteps.size(0);
    const auto classes = spec.num_class_embeds() > 0 ? labels(options.Get("classes"), spec.num_class_embeds()) : at::Tensor();
    const auto text = spec.text_channels() > 0 ? floats(options.Get("text"), {batch, -1, spec.text_channels()}) : at::Tensor();
    return [spec, path = node::text(options, "weights"), x = floats(options.Get("x"), {batch, spec.channels(), size, size}), timesteps, classes, text,
            direction = floats(options.Get("direction"), {batch, spec.channels(), size, size}), dtype = precision(options)](const JobContext&) -> Finish {
      UNet net(spec);
      load_into(*net, read_weights(path));
      freeze(*net, dtype);
      std::vector<at::Tensor> inputs{x.clone().requires_grad_(true)};
      if (text.defined()) inputs.push_back(text.clone().requires_grad_(true));
      const auto output = net(inputs[0].to(dtype).contiguous(at::MemoryFormat::ChannelsLast), timesteps, classes,
                              text.defined() ? inputs[1].to(dtype) : at::Tensor()).to(at::kFloat);
      const auto gradients = torch::autograd::grad({output}, inputs, {direction});
      return finish_fields({{"output", output.detach()}, {"gradient", gradients[0]}, {"textGradient", text.defined() ? gradients[1] : at::Tensor()}});
    };
  });
}

}  // namespace sparring::node
