// A plasma fractal over the image.
#include "corruptions/corruption.h"
#include "corruptions/pixels.h"
#include "corruptions/plasma.h"

namespace sparring::corruptions {
namespace {

struct Fog {
  double thickness, decay;
};

constexpr Severities<Fog> kFogs{{{{1.5, 2}, {2, 2}, {2.5, 1.7}, {2.5, 1.5}, {3, 1.4}}}, {{{.2, 3}, {.5, 3}, {.75, 2.5}, {1, 2}, {1.5, 1.75}}}};

}  // namespace

void fog(Picture& picture, const Setting& setting, Draws& draws) {
  const auto& [thickness, decay] = setting.of(kFogs);
  const auto brightest = unit(*std::max_element(picture.pixels.begin(), picture.pixels.end()));
  const auto clouds = plasma(picture.height, decay, draws);
  for (int64_t y = 0; y < picture.height; ++y) {
    for (int64_t x = 0; x < picture.width; ++x) {
      const auto cloud = thickness * clouds.at(y, x);
      auto* pixel = picture.pixels.data() + (y * picture.width + x) * 3;
      for (int c = 0; c < 3; ++c) pixel[c] = byte_of((unit(pixel[c]) + cloud) * brightest / (brightest + thickness));
    }
  }
}

}  // namespace sparring::corruptions
