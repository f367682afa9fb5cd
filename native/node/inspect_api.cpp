// Gradients and intermediate values of the parts, for the tests that compare them with reference implementations
// and for the benchmarks. Everything here runs the same code as training and generation.
#include <torch/torch.h>

#include "distill/mixing.h"
#include "distill/optimizer.h"
#include "guidance/image_start.h"
#include "guidance/recorded_steps.h"
#include "node/augment_options.h"
#include "node/fields.h"
#include "node/generation_options.h"
#include "node/tokens.h"
#include "ops/exactness.h"
#include "ops/random.h"

namespace sparring::node {
namespace {

struct NoisyBatch {
  at::Tensor x, classes;
};

NoisyBatch noisy_batch(const Napi::Object& options, const Denoiser& denoiser) {
  const auto shape = denoiser.sample_shape();
  return {floats(options.Get("x"), {-1, shape[0], shape[1], shape[2]}).to(denoiser.device()),
          at::tensor(integers(options, "classes"), at::kLong).to(denoiser.device())};
}

// [steps, B, ...], in the shape of the conditions of the images; undefined for null
at::Tensor given_shift(const Napi::Object& options, const char* key, const Denoiser& denoiser, const at::Tensor& classes) {
  const Napi::Value value = options.Get(key);
  if (value.IsNull()) return {};
  auto shape = denoiser.conditions().index_select(0, classes).sizes().vec();
  shape.insert(shape.begin(), -1);
  return floats(value, shape).to(denoiser.device());
}

// Of each step.
ConditionShifts shifts_of(const at::Tensor& of_class, const at::Tensor& of_null) {
  ConditionShifts shifts((of_class.defined() ? of_class : of_null).size(0));
  for (size_t i = 0; i < shifts.size(); ++i) {
    if (of_class.defined()) shifts[i].of_class = of_class[static_cast<int64_t>(i)];
    if (of_null.defined()) shifts[i].of_null = of_null[static_cast<int64_t>(i)];
  }
  return shifts;
}

}  // namespace

void register_inspection(Api& api) {
  // objectiveGradient({teacherLogits, studentLogits, classes, objective}) -> {score, teacherGradient, studentGradient}
  api.add_async("objectiveGradient", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    const auto classes = at::tensor(integers(options, "classes"), at::kLong);
    const auto batch = classes.size(0);
    return [classes, teacher = floats(options.Get("teacherLogits"), {batch, -1}), student = floats(options.Get("studentLogits"), {batch, -1}),
            objective = objective_options(object(options, "objective"))](const JobContext&) -> Finish {
      const auto t = teacher.clone().requires_grad_(true), s = student.clone().requires_grad_(true);
      const auto score = objective(t, s, classes);
      // Zeros for the logits of a term that is left out.
      auto gradients = torch::autograd::grad({score.sum()}, {t, s}, {}, std::nullopt, /*create_graph=*/false, /*allow_unused=*/true);
      for (auto& gradient : gradients) {
        if (!gradient.defined()) gradient = at::zeros_like(t);
      }
      return finish_fields({{"score", score.detach()}, {"teacherGradient", gradients[0]}, {"studentGradient", gradients[1]}});
    };
  });

  // classifierGradient(classifier, {x: pixels 0..1 NCHW, direction [B, K], precision}) -> {logits, gradient, exact [2]: 1 if operations without a
  // deterministic kernel are refused after the forward pass, after the backward pass}
  api.add_async("classifierGradient", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto classifier = unwrap<Classifier>(info[0], "classifier");
    const auto options = info[1].As<Napi::Object>();
    const auto size = classifier->options().image_size;
    return [classifier, pixels = floats(options.Get("x"), {-1, 3, size, size}).to(classifier->device()),
            direction = floats(options.Get("direction"), {-1, classifier->options().num_classes}).to(classifier->device()),
            dtype = precision(options)](const JobContext&) -> Finish {
      const auto x = pixels.clone().requires_grad_(true);
      const auto logits = classifier->forward_frozen(x, dtype);
      const auto exact = at::zeros({2});
      exact[0] = !inexact_is_allowed();
      const auto gradient = torch::autograd::grad({logits}, {x}, {direction})[0];
      exact[1] = !inexact_is_allowed();
      return finish_fields({{"logits", logits.detach()}, {"gradient", gradient}, {"exact", exact}});
    };
  });

  // textEncoderGradient(encoder, {tokens, skip, direction [B, E]}) -> {embeddings, states, gradient}: the gradient of the
  // embeddings with respect to the table of token embeddings
  api.add_async("textEncoderGradient", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto encoder = unwrap<ClipTextImpl>(info[0], "text encoder");
    const auto options = info[1].As<Napi::Object>();
    const auto texts = tokens(options.Get("tokens"), *encoder);
    return [encoder, texts, skip = integer(options, "skip"), direction = floats(options.Get("direction"), {texts.size(0), -1}).to(texts.device())](const JobContext&) -> Finish {
      const auto embeddings = encoder->forward(texts);
      const auto gradient = torch::autograd::grad({embeddings}, {encoder->token_embed->weight}, {direction})[0];
      return finish_fields({{"embeddings", embeddings.detach()}, {"states", encoder->states(texts, skip).detach()}, {"gradient", gradient}});
    };
  });

  // denoiserGradient(denoiser, {x, timesteps, classes, direction}) -> {output, gradient}: the network itself, fp32
  api.add_async("denoiserGradient", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto options = info[1].As<Napi::Object>();
    const auto batch = noisy_batch(options, *denoiser);
    const auto timesteps = at::tensor(integers(options, "timesteps"), at::kLong).to(denoiser->device());
    return [denoiser, batch, timesteps, direction = floats(options.Get("direction"), batch.x.sizes()).to(denoiser->device())](const JobContext&) -> Finish {
      const auto x = batch.x.clone().requires_grad_(true);
      const auto output = denoiser->forward(x, timesteps, batch.classes);
      return finish_fields({{"output", output.detach()}, {"gradient", torch::autograd::grad({output}, {x}, {direction})[0]}});
    };
  });

  // guidanceGradient(denoiser, opponents, {x, timestep, classes, objective, cutouts, gradient, latentPool, decoder?, guidanceScale, precision, repeat}) ->
  // {gradient, score, x0}. Computed `repeat` times, so that a benchmark pays for the boundary once.
  api.add_async("guidanceGradient", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto options = info[2].As<Napi::Object>();
    const auto timestep = integer(options, "timestep");
    if (timestep < 0 || timestep >= denoiser->schedule().num_train_timesteps()) throw Error("usage", "timestep: out of range.");
    return [denoiser, pair = both_opponents(info[1], *denoiser), batch = noisy_batch(options, *denoiser),
            judging = JudgingOptions{objective_options(object(options, "objective")), cutout_options(object(options, "cutouts")), gradient_path(options, *denoiser)},
            scale = number(options, "guidanceScale"), dtype = precision(options), timestep, repeat = integer(options, "repeat")](const JobContext& job) -> Finish {
      const auto place = place_of(static_cast<double>(timestep), denoiser->schedule().alpha_bar(timestep));
      const std::vector<int64_t> seeds(batch.x.size(0));
      GuidedPrediction result;
      for (int64_t i = 0; i < repeat; ++i) {
        job.check();
        result = guidance_gradient(*denoiser, pair, judging, {seeds, 0}, batch.x, place, batch.classes, scale, dtype);
      }
      return finish_fields({{"gradient", result.gradient}, {"score", result.score}, {"x0", result.prediction.x0}});
    };
  });

  // guidedPredictions(denoiser, opponents, {x, timesteps, classes, objective, cutouts, gradient, latentPool, decoder?, guidanceScale, precision, scale,
  // recorded, repeat}) -> {x0, epsilon: [steps, B, ...], graphs: how many there were}: what a sampler goes on with at each timestep, from the
  // same x; guided unless `scale` is 0. `recorded`: as CUDA graphs where they can be. All of it `repeat` times, the results are of the last.
  api.add_async("guidedPredictions", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto options = info[2].As<Napi::Object>();
    StepGuidanceOptions guidance{.judging = {objective_options(object(options, "objective")), cutout_options(object(options, "cutouts")), gradient_path(options, *denoiser)},
                                 .scale = number(options, "scale"), .from = 1, .until = 0};
    return [denoiser, pair = both_opponents(info[1], *denoiser), batch = noisy_batch(options, *denoiser), timesteps = integers(options, "timesteps"), guidance,
            scale = number(options, "guidanceScale"), dtype = precision(options), wanted = boolean(options, "recorded"), repeat = integer(options, "repeat")](const JobContext& job) -> Finish {
      std::optional<RecordingStream> stream;
      std::optional<RecordedSteps> recorded;
      if (wanted && RecordedSteps::can_record(*denoiser, pair, &guidance)) {
        stream.emplace(denoiser->device());
        recorded.emplace(*denoiser, pair, &guidance, scale, dtype);
      }
      const std::vector<int64_t> seeds(batch.x.size(0));
      std::vector<at::Tensor> x0, epsilon;
      for (int64_t i = 0; i < repeat; ++i) {
        job.check();
        x0.clear();
        epsilon.clear();
        for (const auto timestep : timesteps) {
          const SamplingStep step{static_cast<double>(timestep), denoiser->schedule().alpha_bar(timestep), 1.0};
          const auto prediction = recorded ? (*recorded)(batch.x, step, batch.classes)
                                           : guided_prediction(*denoiser, pair, &guidance, batch.x, step, batch.classes, scale, dtype, {}, {seeds, 0});
          x0.push_back(prediction.x0);
          epsilon.push_back(prediction.epsilon);
        }
      }
      const auto graphs = static_cast<float>(recorded ? recorded->count() : 0);
      return finish_fields({{"x0", at::stack(x0).cpu()}, {"epsilon", at::stack(epsilon).cpu()}, {"graphs", at::full({1}, graphs)}});
    };
  });

  // prototypeGradient(denoiser, {teacher}, {x, scale [B, C], bias [B, C], classes, steps, sampler, eta, guidanceScale, precision, start,
  // guidance, prototypes}) -> {energy [B], scaleGradient, biasGradient, x: moved}, at the step of the run that is guided
  api.add_async("prototypeGradient", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto options = info[2].As<Napi::Object>();
    const auto sampling = sampling_options(options, *denoiser);
    const auto batch = noisy_batch(options, *denoiser);
    const std::vector<int64_t> shape{batch.x.size(0), batch.x.size(1), 1, 1};
    const ChannelPerturbation perturbation{floats(options.Get("scale"), shape).to(denoiser->device()), floats(options.Get("bias"), shape).to(denoiser->device())};
    return [denoiser, pair = with_teacher(info[1], *denoiser), batch, sampling, perturbation, guidance = prototype_guidance(options, *denoiser)](const JobContext&) -> Finish {
      const auto sampler = make_sampler(denoiser->schedule(), sampling.sampler, seeded_noise(std::vector<int64_t>(batch.x.size(0)), denoiser->sample_shape(), denoiser->device()));
      const auto index = guided_step(guidance, sampler->steps().size(), sampling.sampler.steps);
      const auto gradient = prototype_gradient(*denoiser, *pair.teacher, guidance, batch.x, perturbation, sampler->steps(), index, batch.classes, sampling.guidance_scale, sampling.dtype);
      const auto x = moved(guidance, batch.x, perturbation, gradient);
      return finish_fields({{"energy", gradient.energy}, {"scaleGradient", gradient.values.scale}, {"biasGradient", gradient.values.bias}, {"x", x}});
    };
  });

  // perturbation({seeds, channels}) -> {scale, bias}: [B, channels]
  api.add_async("perturbation", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [seeds = integers(options, "seeds"), channels = integer(options, "channels")](const JobContext&) -> Finish {
      const auto drawn = draw_perturbation(seeds, channels, at::kCPU);
      return finish_fields({{"scale", drawn.scale}, {"bias", drawn.bias}});
    };
  });

  // chainGradient(denoiser, opponents, {x, classes, objective, loss?: {cutouts, lastPredictions, predictionWeights, decoder?}, steps, sampler, eta,
  // guidanceScale, precision, start, images, segmentSteps, shifts?: {ofClass, ofNull: [steps, B, ...] or null}}) ->
  // {gradient, score, objective, images, conditionGradient, classGradient, nullGradient}; cutouts and the noise within the steps of a
  // stochastic sampler are those of seed 0 for every image. conditionGradient is of the summed objective, for a generator with
  // conditions of its own, else null; the last two are of the given shifts, else null.
  api.add_async("chainGradient", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto options = info[2].As<Napi::Object>();
    const auto sampling = sampling_options(options, *denoiser);
    const auto batch = noisy_batch(options, *denoiser);
    ChainLoss loss;
    if (options.Get("loss").IsObject()) loss = chain_loss(object(options, "loss"), *denoiser);
    loss.judging.objective = objective_options(object(options, "objective"));
    at::Tensor of_class, of_null;
    if (options.Get("shifts").IsObject()) {
      const auto given = object(options, "shifts");
      of_class = given_shift(given, "ofClass", *denoiser, batch.classes);
      of_null = given_shift(given, "ofNull", *denoiser, batch.classes);
    }
    if (integer(options, "segmentSteps") < 1) throw Error("usage", "segmentSteps must be at least 1.");
    check_moved(*denoiser, {of_class.defined(), of_null.defined()}, sampling.guidance_scale);
    return [denoiser, pair = both_opponents(info[1], *denoiser), batch, loss, sampling, of_class, of_null,
            images = start_images(options, sampling, *denoiser, batch.x.size(0)), segment = integer(options, "segmentSteps")](const JobContext& job) -> Finish {
      const std::vector<int64_t> seeds(batch.x.size(0));
      const auto sampler = make_sampler(denoiser->schedule(), sampling.sampler, seeded_noise(seeds, denoiser->sample_shape(), denoiser->device()));
      auto point = begin_run(*denoiser, *sampler, batch.x, images, batch.classes, sampling, job);
      const MovedConditions moved{of_class.defined(), of_null.defined()};
      if (moved.any()) point.shifts = shifts_of(of_class, of_null);
      if (denoiser->has_own_conditions()) denoiser->set_conditions(denoiser->conditions().clone().requires_grad_(true));
      const auto result = chain_gradient({*denoiser, pair, *sampler, batch.classes, sampling, job}, loss, point, moved, segment, {seeds, 0});
      if (denoiser->has_own_conditions()) denoiser->set_conditions(denoiser->conditions().detach());
      const auto of = [&](at::Tensor ConditionShift::*part) {
        std::vector<at::Tensor> gradients;
        for (const auto& shift : result.shifts) gradients.push_back(shift.*part);
        return gradients.empty() || !gradients.front().defined() ? at::Tensor() : at::stack(gradients);
      };
      return finish_fields({{"gradient", result.gradient}, {"score", result.score}, {"objective", result.objective}, {"images", result.images}, {"conditionGradient", result.conditions},
                            {"classGradient", of(&ConditionShift::of_class)}, {"nullGradient", of(&ConditionShift::of_null)}});
    };
  });

  // optimiserTrajectory({kind, ..., start, target, scale, learningRates}) -> {values}: steps on sum(scale * (x - target)^2) / 2
  api.add_async("optimiserTrajectory", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    OptimizerOptions optimizer;
    optimizer.kind = text(options, "kind") == "sgd" ? OptimizerOptions::Kind::sgd : OptimizerOptions::Kind::adamw;
    optimizer.beta1 = number(options, "beta1");
    optimizer.beta2 = number(options, "beta2");
    optimizer.momentum = number(options, "momentum");
    optimizer.weight_decay = number(options, "weightDecay");
    return [optimizer, start = floats(options.Get("start"), {-1}), target = floats(options.Get("target"), {-1}), scale = floats(options.Get("scale"), {-1}),
            rates = floats(options.Get("learningRates"), {-1})](const JobContext&) -> Finish {
      const auto x = start.clone().requires_grad_(true);
      Optimizer steps({{"x", x}}, optimizer);
      std::vector<at::Tensor> values;
      for (int64_t i = 0; i < rates.size(0); ++i) {
        const auto loss = (scale * (x - target).square()).sum().mul(0.5);
        steps.step(torch::autograd::grad({loss}, {x}), rates[i].item<double>());
        values.push_back(x.detach().clone());
      }
      return finish_fields({{"values", at::stack(values)}});
    };
  });

  // mix(images, {size, cutMix, mixUp, seed, step}) -> {pixels [B, 3, H, W], partner [B], share [B]}
  api.add_async("mix", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[1].As<Napi::Object>();
    const MixingOptions mixing{number(options, "cutMix"), number(options, "mixUp")};
    return [batch = images(info[0], integer(options, "size")), mixing, seed = static_cast<uint64_t>(integer(options, "seed")),
            step = static_cast<uint64_t>(integer(options, "step"))](const JobContext&) -> Finish {
      const auto result = mix(augment(batch, {}, seed, step), mixing, seed, step);
      return finish_fields({{"pixels", result.images}, {"partner", result.partner.to(at::kFloat)}, {"share", result.share}});
    };
  });

  // augment(images, {size, augment..., seed, step}) -> {pixels}: [B, 3, H, W] in 0..1
  api.add_async("augment", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[1].As<Napi::Object>();
    return [batch = images(info[0], integer(options, "size")), augmentation = augment_options(options), seed = static_cast<uint64_t>(integer(options, "seed")),
            step = static_cast<uint64_t>(integer(options, "step"))](const JobContext&) -> Finish {
      return finish_fields({{"pixels", augment(batch, augmentation, seed, step)}});
    };
  });

  // initialNoise({seeds, size}) -> {noise}: [B, 3, size, size]
  api.add_async("initialNoise", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [seeds = integers(options, "seeds"), size = integer(options, "size")](const JobContext&) -> Finish {
      return finish_fields({{"noise", seeded_normal(seeds, {3, size, size}, Stream::initial_noise)}});
    };
  });
}

}  // namespace sparring::node
