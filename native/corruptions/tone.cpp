// Brightness and saturation in the HSV space, and contrast around the mean of each channel.
#include "corruptions/corruption.h"
#include "corruptions/pixels.h"

namespace sparring::corruptions {
namespace {

struct Saturation {
  double factor, more;
};

constexpr Severities<double> kBrightness{{.1, .2, .3, .4, .5}, {.05, .1, .15, .2, .3}};  // added to the value
constexpr Severities<double> kContrast{{.4, .3, .2, .1, .05}, {.75, .5, .4, .3, .15}};   // factor of the distance to the mean
constexpr Severities<Saturation> kSaturation{{{{.3, 0}, {.1, 0}, {2, 0}, {5, .1}, {20, .2}}}, {{{.3, 0}, {.1, 0}, {1.5, 0}, {2, .1}, {2.5, .2}}}};

struct Hsv {
  double hue, saturation, value;  // 0..1
};

Hsv to_hsv(double red, double green, double blue) {
  const auto value = std::max({red, green, blue}), range = value - std::min({red, green, blue});
  if (range == 0) return {0, 0, value};
  const auto sixths = blue == value ? 4 + (red - green) / range : green == value ? 2 + (blue - red) / range : (green - blue) / range;
  const auto hue = sixths / 6;
  return {hue - std::floor(hue), range / value, value};
}

std::array<double, 3> to_rgb(const Hsv& hsv) {
  const auto sector = std::floor(hsv.hue * 6), within = hsv.hue * 6 - sector;
  const auto v = hsv.value, p = v * (1 - hsv.saturation), q = v * (1 - within * hsv.saturation), t = v * (1 - (1 - within) * hsv.saturation);
  switch (static_cast<int>(sector) % 6) {
    case 0: return {v, t, p};
    case 1: return {q, v, p};
    case 2: return {p, v, t};
    case 3: return {p, q, v};
    case 4: return {t, p, v};
    default: return {v, p, q};
  }
}

template <typename Change>
void in_hsv(Picture& picture, const Change& change) {
  for (auto* pixel = picture.pixels.data(); pixel != picture.pixels.data() + picture.pixels.size(); pixel += 3) {
    auto hsv = to_hsv(unit(pixel[0]), unit(pixel[1]), unit(pixel[2]));
    change(hsv);
    std::ranges::transform(to_rgb(hsv), pixel, byte_of<double>);
  }
}

}  // namespace

void brightness(Picture& picture, const Setting& setting, Draws&) {
  in_hsv(picture, [more = setting.of(kBrightness)](Hsv& hsv) { hsv.value = std::clamp(hsv.value + more, 0.0, 1.0); });
}

void saturate(Picture& picture, const Setting& setting, Draws&) {
  in_hsv(picture, [&, strength = setting.of(kSaturation)](Hsv& hsv) { hsv.saturation = std::clamp(hsv.saturation * strength.factor + strength.more, 0.0, 1.0); });
}

void contrast(Picture& picture, const Setting& setting, Draws&) {
  const auto factor = setting.of(kContrast);
  for (size_t channel = 0; channel < 3; ++channel) {
    double mean = 0;
    for (auto i = channel; i < picture.pixels.size(); i += 3) mean += unit(picture.pixels[i]);
    mean /= static_cast<double>(picture.places());
    for (auto i = channel; i < picture.pixels.size(); i += 3) picture.pixels[i] = byte_of((unit(picture.pixels[i]) - mean) * factor + mean);
  }
}

}  // namespace sparring::corruptions
