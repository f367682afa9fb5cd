#include "corruptions/frost_texture.h"

#include <algorithm>
#include <cmath>

#include "corruptions/plasma.h"
#include "corruptions/smooth.h"

namespace sparring::corruptions {
namespace {

constexpr int kFeathers = 160;
constexpr double kBranchAngle = std::numbers::pi / 3;  // ice is hexagonal
// Contrast of the pane, brightness of the ice, and light on its slopes, of 255. With these the mean, the standard deviation
// and its part finer than two pixels are as in the photographs of the reference at 224 px.
constexpr double kClouds = 80, kIce = 60, kRelief = 110;
constexpr double kDarkest = 115, kBrightest = 210;  // mean of an image: that of those photographs
constexpr double kTint[3] = {-16, 2, 14};           // blue, as they are on average

// A line of ice that fades towards its end.
void draw_needle(Grid<double>& ice, double x, double y, double angle, double length, double brightness) {
  const auto steps = static_cast<int64_t>(length * 2) + 1;
  for (int64_t i = 0; i < steps; ++i) {
    const auto along = static_cast<double>(i) / 2;
    const auto left = std::floor(x + along * std::cos(angle)), top = std::floor(y + along * std::sin(angle));
    const auto column = static_cast<int64_t>(left), row = static_cast<int64_t>(top);
    if (column < 0 || row < 0 || column >= ice.side || row >= ice.side) continue;
    auto& value = ice.at(row, column);
    value = std::max(value, brightness * (1 - along / (length + 1)));
  }
}

// A spine with branches on both sides, which shorten towards its end and have branches themselves.
void draw_feather(Grid<double>& ice, double x, double y, double angle, double length, double brightness, int depth) {
  draw_needle(ice, x, y, angle, length, brightness);
  if (depth == 0) return;
  const auto spacing = std::max(2.0, length / 14);
  for (auto along = spacing; along < length; along += spacing) {
    const auto branch = 0.45 * (length - along);
    for (const auto turn : {-kBranchAngle, kBranchAngle}) {
      draw_feather(ice, x + along * std::cos(angle), y + along * std::sin(angle), angle + turn, branch, 0.8 * brightness, depth - 1);
    }
  }
}

}  // namespace

Grid<double> frost_texture(int64_t side, Draws& draws) {
  const auto size = static_cast<double>(side);
  const auto mean = draws.uniform(kDarkest, kBrightest);
  const auto clouds = plasma(side, 1.7, draws);
  Grid<double> ice(side, 1);
  for (int i = 0; i < kFeathers; ++i) {
    const auto x = draws.uniform(-0.2, 1.2) * size, y = draws.uniform(-0.2, 1.2) * size, angle = draws.uniform(0, 2 * std::numbers::pi);
    draw_feather(ice, x, y, angle, draws.uniform(0.08, 0.35) * size, draws.uniform(0.4, 1), 2);
  }
  smooth(ice, size / 400);
  double cloud_mean = 0, ice_mean = 0;
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) cloud_mean += clouds.at(y, x) / (size * size), ice_mean += ice.at(y, x) / (size * size);
  }
  Grid<double> texture(side, 3);
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const auto slope = ice.at(y, x) - ice.at(std::max<int64_t>(y - 1, 0), std::max<int64_t>(x - 1, 0));  // light from the upper left
      const auto grey = mean + kClouds * (clouds.at(y, x) - cloud_mean) + kIce * (ice.at(y, x) - ice_mean) + kRelief * slope;
      for (int64_t c = 0; c < 3; ++c) texture.at(y, x, c) = std::clamp(grey + kTint[c], 0.0, 255.0);
    }
  }
  return texture;
}

}  // namespace sparring::corruptions
