// Blurred flakes over an image that is whitened.
#include "corruptions/corruption.h"
#include "corruptions/motion.h"
#include "corruptions/pixels.h"
#include "corruptions/zoom.h"

namespace sparring::corruptions {
namespace {

struct Snow {
  double mean, deviation;  // of the noise that flakes are made of
  double zoom;             // of that noise
  double threshold;        // what lies below is no flake
  double radius, sigma;    // of the blur along their fall, in pixels
  double own;              // share of the image that is not whitened
};

constexpr Severities<Snow> kSnows{
    {{{.1, .3, 3, .5, 10, 4, .8}, {.2, .3, 2, .5, 12, 4, .7}, {.55, .3, 4, .9, 12, 8, .7}, {.55, .3, 4.5, .85, 12, 8, .65}, {.55, .3, 2.5, .85, 12, 12, .55}}},
    {{{.1, .2, 1, .6, 8, 3, .95}, {.1, .2, 1, .5, 10, 4, .9}, {.15, .3, 1.75, .55, 10, 4, .9}, {.25, .3, 2.25, .6, 12, 6, .85}, {.3, .3, 1.25, .65, 14, 12, .8}}},
};

// 0..1 in steps of 1/255
Grid<double> flakes(const Snow& snow, const Setting& setting, int64_t side, Draws& draws) {
  Grid<double> noise(side, 1);
  for (auto& value : noise.values) value = snow.mean + snow.deviation * draws.normal();
  auto layer = clipped_zoom(noise, std::max(1.0, snow.zoom * setting.scale()));
  for (auto& value : layer.values) value = value < snow.threshold ? 0 : std::clamp(value, 0.0, 1.0);
  layer = motion_blurred(layer, setting.places(snow.radius), snow.sigma * setting.scale(), draws.uniform(-135, -45));
  for (auto& value : layer.values) value = unit(static_cast<uint8_t>(std::nearbyint(value * 255)));
  return layer;
}

}  // namespace

void snow(Picture& picture, const Setting& setting, Draws& draws) {
  const auto& strength = setting.of(kSnows);
  const auto side = picture.height;
  const auto layer = flakes(strength, setting, side, draws);
  const auto own = static_cast<float>(strength.own), whitened = static_cast<float>(1 - strength.own);
  const auto image = unit_grid<float>(picture);
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const auto* pixel = image.row(y) + x * 3;
      const auto white = (0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2]) * 1.5f + 0.5f;
      for (int c = 0; c < 3; ++c) {
        const auto pale = own * pixel[c] + whitened * std::max(pixel[c], white);
        // A second layer is the first one turned by 180 degrees.
        picture.pixels[(y * side + x) * 3 + c] = byte_of(pale + layer.at(y, x) + layer.at(side - 1 - y, side - 1 - x));
      }
    }
  }
}

}  // namespace sparring::corruptions
