// Drops of water (severities 1 to 3) or mud (4 and 5) on the lens.
#include "corruptions/corruption.h"
#include "corruptions/edges.h"
#include "corruptions/pixels.h"
#include "corruptions/smooth.h"

namespace sparring::corruptions {
namespace {

struct Spatter {
  double mean, deviation;  // of the noise that drops are made of
  double sigma;            // how smooth that noise is, in pixels
  double threshold;        // what lies below is no drop
  double strength;         // of water: how bright it is; of mud: how soft its edge, in pixels
  bool mud;
};

constexpr Severities<Spatter> kSpatters{
    {{{.65, .3, 4, .69, .6, false}, {.65, .3, 3, .68, .6, false}, {.65, .3, 2, .68, .5, false}, {.65, .3, 1, .65, 1.5, true}, {.67, .4, 1, .65, 1.5, true}}},
    {{{.62, .1, .7, .7, .5, false}, {.65, .1, .8, .7, .5, false}, {.65, .3, 1, .69, .5, false}, {.65, .1, .7, .69, .6, true}, {.65, .1, .5, .68, .6, true}}},
};

constexpr std::array<double, 3> kWater{175 / 255.0, 238 / 255.0, 238 / 255.0}, kMud{63 / 255.0, 42 / 255.0, 20 / 255.0};

Grid<double> liquid(const Spatter& spatter, const Setting& setting, int64_t side, Draws& draws) {
  // Noise that is smoothed more is weaker: so that as much of the image is covered at each size, it is stronger by as much.
  const auto scale = setting.scale();
  Grid<double> layer(side, 1);
  for (auto& value : layer.values) value = spatter.mean + spatter.deviation * scale * draws.normal();
  smooth(layer, spatter.sigma * scale);
  for (auto& value : layer.values) value = value < spatter.threshold ? 0 : value;
  return layer;
}

constexpr std::array<double, 9> kMean{1, 1, 1, 1, 1, 1, 1, 1, 1}, kRelief{-2, -1, 0, -1, 1, 1, 0, 1, 2};

// How strongly water shines at each place, 0..strength: by its depth, and by the distance to its edge.
Grid<double> shine(const Grid<double>& layer, double strength) {
  const auto side = layer.side;
  Grid<uint8_t> depth(side, 1);
  std::transform(layer.values.begin(), layer.values.end(), depth.values.begin(), [](double value) { return static_cast<uint8_t>(static_cast<int>(value * 255)); });
  const auto to_edge = distances(canny_edges(depth, 50, 150));
  Grid<double> near(side, 1);
  std::transform(to_edge.values.begin(), to_edge.values.end(), near.values.begin(), [](float distance) { return std::min(distance, 20.f); });
  const auto softened = filtered_3x3(near, kMean);
  Grid<uint8_t> levels(side, 1);
  std::transform(softened.values.begin(), softened.values.end(), levels.values.begin(), [](double sum) { return static_cast<uint8_t>(static_cast<float>(sum * (1.0 / 9))); });
  equalise(levels);
  std::copy(levels.values.begin(), levels.values.end(), near.values.begin());
  auto relief = filtered_3x3(near, kRelief);
  for (auto& value : relief.values) value = std::clamp(value, 0.0, 255.0);
  auto result = filtered_3x3(relief, kMean);
  double most = 0;
  for (size_t i = 0; i < result.values.size(); ++i) most = std::max(most, result.values[i] = std::nearbyint(result.values[i] * (1.0 / 9)) * depth.values[i]);
  if (most > 0) for (auto& value : result.values) value *= strength / most;  // no drop at all: all are 0
  return result;
}

// How much of each place mud hides: 0, or from 0.8 to 1.
Grid<double> cover(const Grid<double>& layer, double threshold, double sigma) {
  Grid<double> mask(layer.side, 1);
  std::transform(layer.values.begin(), layer.values.end(), mask.values.begin(), [&](double value) { return value > threshold ? 1 : 0; });
  smooth(mask, sigma);
  for (auto& value : mask.values) value = value < 0.8 ? 0 : value;
  return mask;
}

}  // namespace

void spatter(Picture& picture, const Setting& setting, Draws& draws) {
  const auto& strength = setting.of(kSpatters);
  const auto layer = liquid(strength, setting, picture.height, draws);
  const auto share = strength.mud ? cover(layer, strength.threshold, strength.strength * setting.scale()) : shine(layer, strength.strength);
  const auto& colour = strength.mud ? kMud : kWater;
  for (int64_t place = 0; place < picture.places(); ++place) {
    const auto own = strength.mud ? 1 - share.values[place] : 1;
    for (size_t c = 0; c < 3; ++c) {
      auto& value = picture.pixels[place * 3 + c];
      value = byte_of(unit(value) * own + share.values[place] * colour[c]);
    }
  }
}

}  // namespace sparring::corruptions
