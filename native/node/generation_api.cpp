#include <cmath>

#include <torch/torch.h>

#include "node/generation_options.h"
#include "node/api.h"
#include "node/diffusion_options.h"
#include "node/values.h"

namespace sparring::node {

Objective objective_options(const Napi::Object& options) {
  const auto form = text(options, "form");
  Objective result;
  result.gamma = number(options, "gamma");
  if (form == "difference") result.form = ObjectiveForm::difference;
  else if (form == "power_max") result.form = ObjectiveForm::power_max;
  else if (form == "power_min") result.form = ObjectiveForm::power_min;
  else if (form == "log") result.form = ObjectiveForm::log;
  else throw Error("usage", "Unknown objective form '" + form + "'; expected difference, power_max, power_min or log.");
  const auto terms = text(options, "terms");
  if (terms == "both") result.terms = ObjectiveTerms::both;
  else if (terms == "teacher") result.terms = ObjectiveTerms::teacher;
  else if (terms == "student") result.terms = ObjectiveTerms::student;
  else throw Error("usage", "Unknown terms of the objective '" + terms + "'; expected both, teacher or student.");
  return result;
}

SamplingOptions sampling_options(const Napi::Object& options, const Denoiser& denoiser) {
  SamplerOptions sampler;
  sampler.kind = sampler_kind(options, "sampler");
  sampler.steps = integer(options, "steps");
  sampler.eta = number(options, "eta");
  sampler.spacing = denoiser.options().spacing;
  sampler.variance = denoiser.options().variance;
  if (sampler.steps < 1 || sampler.steps > 1000) throw Error("usage", "steps: expected 1 to 1000, found " + std::to_string(sampler.steps) + ".");
  const auto start = object(options, "start");
  const auto kind = text(start, "kind");
  auto from = SamplingStart::noise;
  if (kind == "image") from = SamplingStart::image;
  else if (kind == "inversion") from = SamplingStart::inversion;
  else if (kind != "noise") throw Error("usage", "Unknown start '" + kind + "'; expected noise, image or inversion.");
  if (from != SamplingStart::noise) sampler.strength = number(start, "strength");
  return {sampler, number(options, "guidanceScale"), precision(options), from};
}

at::Tensor start_images(const Napi::Object& options, const SamplingOptions& sampling, const Denoiser& denoiser, int64_t count) {
  const Napi::Value given = options.Get("images");
  if (sampling.start == SamplingStart::noise) {
    if (given.IsNull()) return {};
    throw Error("usage", "images: expected null where sampling starts from noise, found images.");
  }
  if (given.IsNull()) throw Error("usage", "images: expected one to start from for each sample, found none.");
  auto result = images(given, denoiser.options().image_size);
  if (result.size(0) != count) {
    throw Error("usage", "images: expected one to start from for each of " + std::to_string(count) + " samples, found " + std::to_string(result.size(0)) + ".");
  }
  return result;
}

CutoutOptions cutout_options(const Napi::Object& options) {
  const CutoutOptions result{integer(options, "count"), number(options, "leastSide"), number(options, "noise")};
  if (result.count < 0 || !(result.least_side > 0 && result.least_side <= 1) || !(result.noise >= 0)) {
    throw Error("usage", "cutouts: expected a count and noise of at least 0 and a least side above 0 and up to 1.");
  }
  return result;
}

GradientPath gradient_path(const Napi::Object& options, const Denoiser& denoiser) {
  const auto gradient = text(options, "gradient");
  if (gradient != "unet" && gradient != "x0") throw Error("usage", "Unknown gradient '" + gradient + "'; expected unet or x0.");
  GradientPath path{gradient == "unet", integer(options, "latentPool")};
  if (!denoiser.is_latent()) path.latent_pool = 1;
  const auto side = denoiser.sample_shape().back();
  if (path.latent_pool < 1 || side % path.latent_pool != 0) {
    throw Error("config", "latentPool: expected a divisor of " + std::to_string(side) + ", the side of the latents, found " + std::to_string(path.latent_pool) + ".");
  }
  return path;
}

Opponents opponents(const Napi::Value& value) {
  const auto given = value.As<Napi::Object>();
  Opponents result;
  if (const Napi::Value teacher = given.Get("teacher"); teacher.IsExternal()) result.teacher = unwrap<Classifier>(teacher, "teacher");
  if (const Napi::Value student = given.Get("student"); student.IsExternal()) result.student = unwrap<Classifier>(student, "student");
  return result;
}

void require_same_inputs(const Denoiser& denoiser, const Opponents& opponents) {
  for (const auto& classifier : {opponents.teacher, opponents.student}) {
    if (!classifier) continue;
    const auto& drawn = denoiser.options();
    const auto& judged = classifier->options();
    if (judged.image_size != drawn.image_size) {
      throw Error("config", "The generator draws " + std::to_string(drawn.image_size) + " px images but a classifier takes " +
                                std::to_string(judged.image_size) + " px.");
    }
    if (judged.num_classes != drawn.num_classes) {
      throw Error("config", "The generator has " + std::to_string(drawn.num_classes) + " classes but a classifier has " +
                                std::to_string(judged.num_classes) + ".");
    }
  }
}

Opponents both_opponents(const Napi::Value& value, const Denoiser& denoiser) {
  const auto result = opponents(value);
  if (!result.teacher || !result.student) throw Error("usage", "Guidance needs a teacher and a student.");
  require_same_inputs(denoiser, result);
  return result;
}

Opponents with_teacher(const Napi::Value& value, const Denoiser& denoiser) {
  const auto result = opponents(value);
  if (!result.teacher) throw Error("usage", "Guidance by prototypes needs a teacher.");
  require_same_inputs(denoiser, result);
  return result;
}

PrototypeGuidanceOptions prototype_guidance(const Napi::Object& options, const Denoiser& denoiser) {
  const auto guidance = object(options, "guidance"), given = object(options, "prototypes");
  const auto classes = denoiser.options().num_classes;
  PrototypeGuidanceOptions result;
  result.rate = number(guidance, "rate");
  result.radius = number(guidance, "radius");
  result.remaining = number(guidance, "remaining");
  result.span = integer(guidance, "span");
  if (!std::isfinite(result.rate) || !(result.radius >= 0) || !(result.remaining > 0 && result.remaining <= 1) || result.span < 1) {
    throw Error("usage", "Guidance by prototypes: expected a rate, a radius of at least 0, remaining above 0 and up to 1, and a span of at least 1.");
  }
  const auto global = floats(given.Get("global"), {-1}), local = floats(given.Get("local"), {-1});
  if (global.numel() == 0 || global.numel() % classes != 0 || local.numel() == 0 || local.numel() % global.numel() != 0) {
    throw Error("usage", c10::str("prototypes: expected one vector for each of ", classes, " classes and as many local ones for each of them, found ", global.numel(), " and ", local.numel(), " numbers."));
  }
  const auto width = global.numel() / classes;
  result.prototypes.global = global.view({classes, width}).to(denoiser.device());
  result.prototypes.local = local.view({classes, -1, width}).to(denoiser.device());
  return result;
}

namespace {

// {guidance}, and {prototypes} for guidance by them
decltype(GenerateOptions::guidance) guidance_options(const Napi::Object& options, const Denoiser& denoiser) {
  const auto guidance = object(options, "guidance");
  const auto kind = text(guidance, "kind");
  if (kind == "step") {
    StepGuidanceOptions step;
    step.objective = objective_options(object(guidance, "objective"));
    step.cutouts = cutout_options(object(guidance, "cutouts"));
    step.path = gradient_path(guidance, denoiser);
    step.scale = number(guidance, "scale");
    step.from = number(guidance, "from");
    step.until = number(guidance, "until");
    step.schedule = text(guidance, "schedule") == "linear" ? GuidanceSchedule::linear : GuidanceSchedule::constant;
    return step;
  }
  if (kind == "chain") {
    ChainGuidanceOptions chain;
    chain.objective = objective_options(object(guidance, "objective"));
    chain.iterations = integer(guidance, "iterations");
    chain.learning_rate = number(guidance, "learningRate");
    chain.memory_bytes = integer(guidance, "memoryBytes");
    return chain;
  }
  if (kind == "prototypes") return prototype_guidance(options, denoiser);
  if (kind != "none") throw Error("usage", "Unknown guidance '" + kind + "'; expected none, step, chain or prototypes.");
  return {};
}

GenerateOptions generate_options(const Napi::Object& options, const Denoiser& denoiser) {
  GenerateOptions result;
  result.classes = integers(options, "classes");
  result.seeds = integers(options, "seeds");
  result.sampling = sampling_options(options, denoiser);
  result.batch_size = integer(options, "batchSize");
  if (result.batch_size < 1) throw Error("usage", "generate: batchSize: expected at least 1, found " + std::to_string(result.batch_size) + ".");
  if (result.classes.empty() || result.classes.size() != result.seeds.size()) {
    throw Error("usage", "generate: as many seeds as classes are needed, at least one.");
  }
  for (const auto label : result.classes) {
    if (label < 0 || label >= denoiser.options().num_classes) {
      throw Error("usage", "generate: class " + std::to_string(label) + " is outside the generator's 0.." + std::to_string(denoiser.options().num_classes - 1) + ".");
    }
  }
  result.compare_gradients = boolean(options, "compareGradients");
  result.start_images = start_images(options, result.sampling, denoiser, static_cast<int64_t>(result.seeds.size()));
  result.guidance = guidance_options(options, denoiser);
  return result;
}

}  // namespace

void register_generation(Api& api) {
  // checkSampling(denoiser, {steps, sampler, eta, guidanceScale, precision, start, guidance}): throws what generation would throw for them
  api.add_async("checkSampling", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto options = info[1].As<Napi::Object>();
    return [denoiser, sampling = sampling_options(options, *denoiser), guidance = guidance_options(options, *denoiser)](const JobContext&) -> Finish {
      denoiser->check_guidance_scale(sampling.guidance_scale);
      const auto sampler = make_sampler(denoiser->schedule(), sampling.sampler, seeded_noise({0}, denoiser->sample_shape(), denoiser->device()));
      if (const auto* step = std::get_if<StepGuidanceOptions>(&guidance)) check_guided_steps(*denoiser, *step, *sampler);
      if (sampling.start == SamplingStart::inversion) make_sampler(denoiser->schedule(), inversion_of(sampling.sampler));
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });

  // generate(denoiser, {teacher?, student?}, options, control) -> {images, teacherProbabilities, studentProbabilities, gradientCosines}
  api.add_async("generate", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto options = generate_options(info[2].As<Napi::Object>(), *denoiser);
    const auto pair = std::holds_alternative<std::monostate>(options.guidance)             ? opponents(info[1])
                      : std::holds_alternative<PrototypeGuidanceOptions>(options.guidance) ? with_teacher(info[1], *denoiser)
                                                                                           : both_opponents(info[1], *denoiser);
    require_same_inputs(*denoiser, pair);
    return [denoiser, pair, options](const JobContext& job) -> Finish {
      auto generated = std::make_shared<Generated>(generate(*denoiser, pair, options, job));
      return [generated](Napi::Env env) -> Napi::Value {
        auto result = Napi::Object::New(env);
        result.Set("images", to_uint8_array(env, generated->images));
        result.Set("teacherProbabilities", to_float32_array(env, generated->teacher_probabilities));
        result.Set("studentProbabilities", to_float32_array(env, generated->student_probabilities));
        result.Set("gradientCosines", to_float32_array(env, generated->gradient_cosines));
        return result;
      };
    };
  });
}

}  // namespace sparring::node
