#include "distill/views/tone_ops.h"

#include <array>

namespace sparring {
namespace {

using Counts = std::array<int64_t, 256>;

Counts histogram(const Picture& picture, int channel) {
  Counts counts{};
  for (int64_t i = 0; i < picture.places(); ++i) ++counts[picture.pixels[i * 3 + channel]];
  return counts;
}

// `value_of(value)` of every value of the given channel.
template <typename ValueOf>
void map_channel(Picture& picture, int channel, const ValueOf& value_of) {
  std::array<uint8_t, 256> table;
  for (int value = 0; value < 256; ++value) table[value] = static_cast<uint8_t>(std::clamp<int64_t>(value_of(value), 0, 255));
  for (int64_t i = 0; i < picture.places(); ++i) picture.pixels[i * 3 + channel] = table[picture.pixels[i * 3 + channel]];
}

template <typename ValueOf>
void map_all(Picture& picture, const ValueOf& value_of) {
  for (int channel = 0; channel < 3; ++channel) map_channel(picture, channel, value_of);
}

}  // namespace

void autocontrast(Picture& picture) {
  for (int channel = 0; channel < 3; ++channel) {
    const auto counts = histogram(picture, channel);
    int low = 0, high = 255;
    while (counts[low] == 0) ++low;
    while (counts[high] == 0) --high;
    if (high <= low) continue;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    map_channel(picture, channel, [&](int value) { return static_cast<int64_t>(value * scale + offset); });
  }
}

void equalize(Picture& picture) {
  for (int channel = 0; channel < 3; ++channel) {
    const auto counts = histogram(picture, channel);
    int last = 255;
    while (counts[last] == 0) --last;
    const auto step = (picture.places() - counts[last]) / 255;  // pixels for each step of the result
    if (step == 0) continue;
    Counts table;
    auto below = step / 2;
    for (int value = 0; value < 256; ++value) {
      table[value] = below / step;
      below += counts[value];
    }
    map_channel(picture, channel, [&](int value) { return table[value]; });
  }
}

void invert(Picture& picture) {
  map_all(picture, [](int value) { return 255 - value; });
}

void posterize(Picture& picture, int bits) {
  const int mask = ~((1 << (8 - bits)) - 1);
  map_all(picture, [&](int value) { return value & mask; });
}

void solarize(Picture& picture, int threshold) {
  map_all(picture, [&](int value) { return value < threshold ? value : 255 - value; });
}

void solarize_add(Picture& picture, int amount) {
  map_all(picture, [&](int value) { return value < 128 ? value + amount : value; });
}

}  // namespace sparring
