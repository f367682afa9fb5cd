#include <torch/torch.h>

#include "node/generation_options.h"
#include "node/api.h"
#include "node/diffusion_options.h"
#include "node/values.h"

namespace sparring::node {

namespace {

// {iterations, learningRate}
NullTextOptions null_text_options(const Napi::Object& options, double guidance_scale) {
  const NullTextOptions result{integer(options, "iterations"), number(options, "learningRate")};
  if (result.iterations < 0 || !(result.learning_rate > 0)) throw Error("usage", "nullText: expected iterations of at least 0 and a learning rate above 0.");
  if (result.iterations > 0 && guidance_scale == 1) {
    throw Error("config", "sampling.start.nullText: expected a guidance scale other than 1, found 1.", "Without classifier-free guidance the null condition has no part. Set sampling.guidanceScale, or leave nullText out.");
  }
  return result;
}

}  // namespace

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
  SamplingOptions result{sampler, number(options, "guidanceScale"), precision(options), from, {}};
  if (from == SamplingStart::inversion) result.null_text = null_text_options(object(start, "nullText"), result.guidance_scale);
  return result;
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

namespace {

// {conditions?}: one text for each of `count` images, [count, tokens, text_channels]
at::Tensor told_conditions(const Napi::Object& options, const Denoiser& denoiser, int64_t count) {
  const Napi::Value given = options.Get("conditions");
  if (given.IsUndefined()) return {};
  if (!denoiser.has_text()) throw Error("usage", "generate: conditions: expected a generator that takes a text, found one that takes none.");
  const auto texts = denoiser.conditions();  // [num_classes + 1, tokens, text_channels]
  const auto text = texts.sizes();
  if (!given.IsTypedArray() || static_cast<int64_t>(given.As<Napi::TypedArray>().ElementLength()) != count * text[1] * text[2]) {
    throw Error("usage", c10::str("generate: conditions: expected ", text[1], " x ", text[2], " numbers for each of ", count, " images, found another array."));
  }
  return floats(given, {count, text[1], text[2]});
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
  result.told = told_conditions(options, denoiser, static_cast<int64_t>(result.seeds.size()));
  return result;
}

}  // namespace

void register_generation(Api& api) {
  // setGuidanceDecoder(denoiser, autoencoder): for `decoder` of guidance, which then may be given
  api.add_async("setGuidanceDecoder", 2, [](const Napi::CallbackInfo& info) -> Work {
    return [denoiser = unwrap<Denoiser>(info[0], "generator"), decoder = unwrap<Autoencoder>(info[1], "autoencoder")](const JobContext&) -> Finish {
      denoiser->set_guidance_decoder(decoder);
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });

  // checkSampling(denoiser, {steps, sampler, eta, guidanceScale, precision, start, guidance}): throws what generation would throw for them
  api.add_async("checkSampling", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto options = info[1].As<Napi::Object>();
    return [denoiser, sampling = sampling_options(options, *denoiser), guidance = guidance_options(options, *denoiser)](const JobContext&) -> Finish {
      denoiser->check_guidance_scale(sampling.guidance_scale);
      const auto sampler = make_sampler(denoiser->schedule(), sampling.sampler, seeded_noise({0}, denoiser->sample_shape(), denoiser->device()));
      if (const auto* step = std::get_if<StepGuidanceOptions>(&guidance)) check_guided_steps(*denoiser, *step, *sampler);
      if (const auto* chain = std::get_if<ChainGuidanceOptions>(&guidance)) check_chain(chain->loss, *sampler);
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
