// Frost on the lens: a sum of the image and of a texture of ice.
#include "corruptions/corruption.h"
#include "corruptions/frost_texture.h"

namespace sparring::corruptions {
namespace {

struct Frost {
  double image, ice;  // factors
};

constexpr Severities<Frost> kFrosts{{{{1, .4}, {.8, .6}, {.7, .7}, {.65, .7}, {.6, .75}}}, {{{1, .2}, {1, .3}, {.9, .4}, {.85, .4}, {.75, .45}}}};

}  // namespace

void frost(Picture& picture, const Setting& setting, Draws& draws) {
  const auto& strength = setting.of(kFrosts);
  const auto texture = frost_texture(picture.height, draws);
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    picture.pixels[i] = static_cast<uint8_t>(std::min(strength.image * picture.pixels[i] + strength.ice * texture.values[i], 255.0));
  }
}

}  // namespace sparring::corruptions
