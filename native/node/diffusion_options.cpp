#include "node/diffusion_options.h"

#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>

#include "node/network_checks.h"
#include "node/values.h"

namespace sparring::node {
namespace {

template <typename T>
T choice(const Napi::Object& options, const char* key, std::initializer_list<std::pair<const char*, T>> choices) {
  const auto found = text(options, key);
  std::string names;
  for (const auto& [name, value] : choices) {
    if (found == name) return value;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw Error("usage", std::string(key) + ": expected one of " + names + ", found '" + found + "'.");
}

}  // namespace

NoiseScheduleOptions schedule_options(const Napi::Object& options) {
  NoiseScheduleOptions result;
  result.num_train_timesteps = integer(options, "trainTimesteps");
  result.betas = choice<BetaSchedule>(options, "betas", {{"linear", BetaSchedule::linear}, {"scaled-linear", BetaSchedule::scaled_linear}, {"cosine", BetaSchedule::cosine}});
  result.beta_start = number(options, "betaStart");
  result.beta_end = number(options, "betaEnd");
  result.set_alpha_to_one = boolean(options, "setAlphaToOne");
  result.steps_offset = integer(options, "stepsOffset");
  const auto is_beta = [](double beta) { return beta > 0 && beta < 1; };
  if (result.num_train_timesteps < 1 || result.num_train_timesteps > 1'000'000 || !is_beta(result.beta_start) || !is_beta(result.beta_end) ||
      result.steps_offset < 0 || result.steps_offset >= result.num_train_timesteps) {
    throw Error("usage", "Noise schedule: expected trainTimesteps from 1 to 1000000, betas between 0 and 1, and stepsOffset from 0 to below trainTimesteps.");
  }
  return result;
}

namespace {

Spacing spacing(const Napi::Object& options) {
  return choice<Spacing>(options, "spacing", {{"linspace", Spacing::linspace}, {"leading", Spacing::leading}, {"trailing", Spacing::trailing}});
}

PosteriorVariance variance(const Napi::Object& options) {
  return choice<PosteriorVariance>(options, "variance", {{"fixed-small", PosteriorVariance::fixed_small}, {"fixed-large", PosteriorVariance::fixed_large}});
}

}  // namespace

SamplerKind sampler_kind(const Napi::Object& options, const char* key) {
  return choice<SamplerKind>(options, key, {{"ddim", SamplerKind::ddim}, {"ddim-inversion", SamplerKind::ddim_inversion}, {"ddpm", SamplerKind::ddpm},
                                            {"dpm-solver++-2m", SamplerKind::dpm_solver_pp_2m}, {"euler", SamplerKind::euler}});
}

SamplerOptions sampler_options(const Napi::Object& options) {
  SamplerOptions result;
  result.kind = sampler_kind(options, "kind");
  result.steps = integer(options, "steps");
  result.spacing = spacing(options);
  result.eta = number(options, "eta");
  result.variance = variance(options);
  result.strength = number(options, "strength");
  return result;
}

PredictionType prediction_type(const Napi::Object& options) {
  return choice<PredictionType>(options, "prediction", {{"epsilon", PredictionType::epsilon}, {"v", PredictionType::v}, {"x0", PredictionType::x0}});
}

DenoiserOptions denoiser_options(const Napi::Object& options) {
  DenoiserOptions result;
  result.unet = unet_options(object(options, "unet"));
  result.schedule = schedule_options(object(options, "schedule"));
  result.prediction = prediction_type(options);
  result.spacing = spacing(options);
  result.variance = variance(options);
  result.clip = number(options, "clip");
  result.num_classes = integer(options, "numClasses");
  result.image_size = integer(options, "imageSize");
  result.draw_size = integer(options, "drawSize");
  require(in_range(result.num_classes, 1 << 20) && in_range(result.image_size) && in_range(result.draw_size), "numClasses, imageSize and drawSize must be at least 1.");
  require(std::isfinite(result.clip) && result.clip >= 0, "clip must be at least 0.");
  return result;
}

UNetOptions unet_options(const Napi::Object& options) {
  std::vector<bool> attention;
  for (const auto level : integers(options, "attention")) attention.push_back(level != 0);
  const auto channels = integer(options, "channels"), layers = integer(options, "layersPerBlock"), groups = integer(options, "normGroups");
  const auto classes = integer(options, "classEmbeddings"), text = integer(options, "textChannels"), depth = integer(options, "transformerLayers");
  const auto shift = integer(options, "frequencyShift");
  const auto widths = integers(options, "blockChannels"), heads = integers(options, "heads");
  const auto eps = number(options, "normEps");
  require(all_in_range(widths) && attention.size() == widths.size() && heads.size() == widths.size() && all_in_range(heads),
          "blockChannels must be 1 to 8 numbers of at least 1, attention and heads as many.");
  require(in_range(channels) && in_range(layers, 100) && in_range(groups) && in_range(depth, 100), "channels, layersPerBlock, normGroups and transformerLayers must be at least 1.");
  require(classes >= 0 && classes <= 1 << 20 && text >= 0 && text <= kMaxSize, "classEmbeddings and textChannels must be at least 0.");
  require(eps > 0 && eps < 1, "normEps must be between 0 and 1.");
  require(widths[0] % 2 == 0 && shift >= 0 && shift < widths[0] / 2, "the first of blockChannels must be even, and frequencyShift less than half of it.");
  for (size_t level = 0; level < widths.size(); ++level) {
    require(widths[level] % groups == 0, "normGroups must divide every level of blockChannels.");
    const bool attends = attention[level] || level + 1 == widths.size();  // the last level always has attention
    require(!attends || widths[level] % heads[level] == 0, "heads must divide the channels of every level with attention.");
  }
  return UNetOptions()
      .channels(channels)
      .block_channels(widths)
      .attention(attention)
      .heads(heads)
      .layers_per_block(layers)
      .norm_groups(groups)
      .norm_eps(eps)
      .num_class_embeds(classes)
      .text_channels(text)
      .transformer_layers(depth)
      .linear_projection(boolean(options, "linearProjection"))
      .downsample_both_sides(boolean(options, "downsampleBothSides"))
      .cosine_first(boolean(options, "cosineFirst"))
      .frequency_shift(shift);
}

}  // namespace sparring::node
