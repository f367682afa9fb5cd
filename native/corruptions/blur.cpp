// Blurs by one pass over the image: Gaussian, along a line, and by zooming.
#include "corruptions/corruption.h"
#include "corruptions/motion.h"
#include "corruptions/pixels.h"
#include "corruptions/smooth.h"
#include "corruptions/zoom.h"

namespace sparring::corruptions {
namespace {

struct Motion {
  double radius, sigma;  // in pixels
};
struct Zooms {
  int count;
  double step;  // the factors are 1, 1 + step, ...
};

constexpr Severities<double> kGaussian{{1, 2, 3, 4, 6}, {.4, .6, .7, .8, 1}};  // sigma in pixels
constexpr Severities<Motion> kMotion{{{{10, 3}, {15, 5}, {15, 8}, {15, 12}, {20, 15}}}, {{{6, 1}, {6, 1.5}, {6, 2}, {8, 2}, {9, 2.5}}}};
constexpr Severities<Zooms> kZooms{{{{12, .01}, {16, .01}, {11, .02}, {13, .02}, {11, .03}}}, {{{7, .01}, {12, .01}, {16, .01}, {21, .01}, {26, .01}}}};

}  // namespace

void gaussian_blur(Picture& picture, const Setting& setting, Draws&) {
  auto grid = unit_grid<double>(picture);
  smooth(grid, setting.of(kGaussian) * setting.scale());
  store(grid, picture);
}

void motion_blur(Picture& picture, const Setting& setting, Draws& draws) {
  const auto& [radius, sigma] = setting.of(kMotion);
  const auto angle = draws.uniform(-45, 45);
  Grid<double> grid(picture.height, 3);  // 0..255
  std::copy(picture.pixels.begin(), picture.pixels.end(), grid.values.begin());
  const auto blurred = motion_blurred(grid, setting.places(radius), sigma * setting.scale(), angle);
  std::transform(blurred.values.begin(), blurred.values.end(), picture.pixels.begin(), [](double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0)); });
}

void zoom_blur(Picture& picture, const Setting& setting, Draws&) {
  const auto& [count, step] = setting.of(kZooms);
  const auto exact_step = (1 + step) - 1;  // as NumPy's arange rounds it
  const auto grid = unit_grid<float>(picture);
  Grid<float> sum(grid.side, 3);
  for (int i = 0; i < count; ++i) {
    const auto layer = clipped_zoom(grid, 1 + i * exact_step);
    for (int64_t y = 0; y < grid.side; ++y) std::transform(sum.row(y), sum.row(y) + sum.row_length(), layer.row(y), sum.row(y), std::plus<>());
  }
  std::transform(sum.values.begin(), sum.values.end(), grid.values.begin(), sum.values.begin(), [&](float layers, float own) { return (own + layers) / static_cast<float>(count + 1); });
  store(sum, picture);
}

}  // namespace sparring::corruptions
