// What guides a generator, as it is given in JavaScript.
#include <cmath>

#include <torch/torch.h>

#include "node/generation_options.h"
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

CutoutOptions cutout_options(const Napi::Object& options) {
  const CutoutOptions result{integer(options, "count"), number(options, "leastSide"), number(options, "noise")};
  if (result.count < 0 || !(result.least_side > 0 && result.least_side <= 1) || !(result.noise >= 0)) {
    throw Error("usage", "cutouts: expected a count and noise of at least 0 and a least side above 0 and up to 1.");
  }
  return result;
}

namespace {

// {decoder?}: the file of that for guidance, where it is wanted
Decoder decoder_of(const Napi::Object& options, const Denoiser& denoiser) {
  if (!options.Get("decoder").IsString()) return Decoder::own;
  if (!denoiser.has_guidance_decoder()) throw Error("usage", "guidance: expected a generator with a decoder for guidance, found one without.");
  return Decoder::guidance;
}

MovedConditions moved_conditions(const std::string& which) {
  if (which == "none") return {};
  if (which == "class") return {true, false};
  if (which == "null") return {false, true};
  if (which == "both") return {true, true};
  throw Error("usage", "Unknown conditions '" + which + "'; expected none, class, null or both.");
}

}  // namespace

GradientPath gradient_path(const Napi::Object& options, const Denoiser& denoiser) {
  const auto gradient = text(options, "gradient");
  if (gradient != "unet" && gradient != "x0") throw Error("usage", "Unknown gradient '" + gradient + "'; expected unet or x0.");
  GradientPath path{gradient == "unet", integer(options, "latentPool"), decoder_of(options, denoiser)};
  if (!denoiser.is_latent()) path.latent_pool = 1;
  const auto side = denoiser.sample_shape().back();
  if (path.latent_pool < 1 || side % path.latent_pool != 0) {
    throw Error("config", "latentPool: expected a divisor of " + std::to_string(side) + ", the side of the latents, found " + std::to_string(path.latent_pool) + ".");
  }
  return path;
}

ChainLoss chain_loss(const Napi::Object& options, const Denoiser& denoiser) {
  ChainLoss loss;
  loss.judging.cutouts = cutout_options(object(options, "cutouts"));
  loss.judging.path.decoder = decoder_of(options, denoiser);
  loss.last_predictions = integer(options, "lastPredictions");
  const auto weights = text(options, "predictionWeights");
  if (weights != "linear" && weights != "equal") throw Error("usage", "Unknown weights of predictions '" + weights + "'; expected linear or equal.");
  loss.weights = weights == "linear" ? PredictionWeights::linear : PredictionWeights::equal;
  return loss;
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

GuidanceOptions guidance_options(const Napi::Object& options, const Denoiser& denoiser) {
  const auto guidance = object(options, "guidance");
  const auto kind = text(guidance, "kind");
  if (kind == "step") {
    StepGuidanceOptions step;
    step.judging = {objective_options(object(guidance, "objective")), cutout_options(object(guidance, "cutouts")), gradient_path(guidance, denoiser)};
    step.scale = number(guidance, "scale");
    step.from = number(guidance, "from");
    step.until = number(guidance, "until");
    const auto schedule = text(guidance, "schedule");
    if (schedule != "linear" && schedule != "constant") throw Error("usage", "Unknown schedule '" + schedule + "'; expected constant or linear.");
    step.schedule = schedule == "linear" ? GuidanceSchedule::linear : GuidanceSchedule::constant;
    if (!(std::isfinite(step.scale) && step.until <= step.from)) throw Error("usage", "Guidance per step: expected a finite scale, and until not above from.");
    return step;
  }
  if (kind == "chain") {
    ChainGuidanceOptions chain;
    chain.loss = chain_loss(guidance, denoiser);
    chain.loss.judging.objective = objective_options(object(guidance, "objective"));
    chain.iterations = integer(guidance, "iterations");
    chain.learning_rate = number(guidance, "learningRate");
    const auto conditions = object(guidance, "conditions");
    chain.moved = moved_conditions(text(conditions, "moved"));
    chain.condition_rate = number(conditions, "learningRate");
    chain.memory_bytes = integer(guidance, "memoryBytes");
    if (chain.iterations < 0 || !(chain.learning_rate > 0) || !(chain.condition_rate > 0) || chain.memory_bytes < 1) {
      throw Error("usage", "Guidance through the chain: expected iterations of at least 0, learning rates above 0 and memoryBytes of at least 1.");
    }
    check_moved(denoiser, chain.moved, number(options, "guidanceScale"));
    return chain;
  }
  if (kind == "prototypes") return prototype_guidance(options, denoiser);
  if (kind != "none") throw Error("usage", "Unknown guidance '" + kind + "'; expected none, step, chain or prototypes.");
  return {};
}

}  // namespace sparring::node
