// A random affine map, then displacements by smoothed noise.
#include "corruptions/corruption.h"
#include "corruptions/pixels.h"
#include "corruptions/smooth.h"

namespace sparring::corruptions {
namespace {

struct Elastic {
  double amount, sigma;  // of the displacements: factor of the smoothed noise, and how smooth it is, in pixels
  double affine;         // how far the corners of a triangle go, in pixels
};

// 244 is in the reference, where 224 was meant.
constexpr Severities<Elastic> kElastic{
    {{{244 * 2., 244 * .7, 244 * .1}, {244 * 2., 244 * .08, 244 * .2}, {244 * .05, 244 * .01, 244 * .02}, {244 * .07, 244 * .01, 244 * .02}, {244 * .12, 244 * .01, 244 * .02}}},
    {{{0, 0, 32 * .08}, {32 * .05, 32 * .2, 32 * .07}, {32 * .08, 32 * .06, 32 * .06}, {32 * .1, 32 * .04, 32 * .05}, {32 * .1, 32 * .03, 32 * .03}}},
};

struct Point {
  double x, y;
};

// Each pixel of the result is that of the image at source(y, x), between four of its pixels.
template <typename Source>
Grid<float> mapped(const Grid<float>& image, Border border, const Source& source) {
  const auto side = image.side;
  const auto farthest = 1e6 * static_cast<double>(side);  // a triangle that is all but a line sends pixels anywhere
  Grid<float> result(side, 3);
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const auto [place_x, place_y] = source(y, x);
      const auto px = std::clamp(place_x, -farthest, farthest), py = std::clamp(place_y, -farthest, farthest);
      const auto left = std::floor(px), top = std::floor(py), east = px - left, south = py - top;
      const auto x0 = inside(static_cast<int64_t>(left), side, border), x1 = inside(static_cast<int64_t>(left) + 1, side, border);
      const auto y0 = inside(static_cast<int64_t>(top), side, border), y1 = inside(static_cast<int64_t>(top) + 1, side, border);
      for (int64_t c = 0; c < 3; ++c) {
        const auto above = image.at(y0, x0, c) * (1 - east) + image.at(y0, x1, c) * east, below = image.at(y1, x0, c) * (1 - east) + image.at(y1, x1, c) * east;
        result.at(y, x, c) = static_cast<float>(above * (1 - south) + below * south);
      }
    }
  }
  return result;
}

// Moves the corners of a triangle at random, and the image with them.
Grid<float> affine(const Grid<float>& image, double reach, Draws& draws) {
  const auto centre = static_cast<double>(image.side / 2), third = static_cast<double>(image.side / 3);
  const std::array<Point, 3> from{{{centre + third, centre + third}, {centre + third, centre - third}, {centre - third, centre - third}}};
  std::array<Point, 3> to;
  for (size_t i = 0; i < 3; ++i) {
    const auto dx = static_cast<float>(draws.uniform(-reach, reach)), dy = static_cast<float>(draws.uniform(-reach, reach));
    to[i] = {static_cast<float>(from[i].x) + dx, static_cast<float>(from[i].y) + dy};
  }
  // Where a place of the result lies in the triangle of moved corners, it comes from in the first one.
  const Point a{to[1].x - to[0].x, to[1].y - to[0].y}, b{to[2].x - to[0].x, to[2].y - to[0].y};
  const Point u{from[1].x - from[0].x, from[1].y - from[0].y}, v{from[2].x - from[0].x, from[2].y - from[0].y};
  const auto area = a.x * b.y - a.y * b.x;
  return mapped(image, Border::mirror, [&](int64_t y, int64_t x) {
    const auto px = static_cast<double>(x) - to[0].x, py = static_cast<double>(y) - to[0].y;
    const auto along_a = (px * b.y - py * b.x) / area, along_b = (a.x * py - a.y * px) / area;
    return Point{from[0].x + along_a * u.x + along_b * v.x, from[0].y + along_a * u.y + along_b * v.y};
  });
}

Grid<double> displacements(int64_t side, double amount, double sigma, Draws& draws) {
  Grid<double> field(side, 1);
  for (auto& value : field.values) value = draws.uniform(-1, 1);
  smooth(field, sigma, Border::reflect, 3);
  for (auto& value : field.values) value = static_cast<float>(value * amount);
  return field;
}

}  // namespace

void elastic_transform(Picture& picture, const Setting& setting, Draws& draws) {
  const auto& elastic = setting.of(kElastic);
  // Smoothed noise is weaker by the factor by which it is smoother: a displacement in proportion to the side takes the square.
  const auto scale = setting.scale(), amount = elastic.amount * scale * scale, sigma = elastic.sigma * scale;
  const auto moved = affine(unit_grid<float>(picture), elastic.affine * scale, draws);
  const auto dx = displacements(picture.height, amount, sigma, draws), dy = displacements(picture.height, amount, sigma, draws);
  store(mapped(moved, Border::reflect, [&](int64_t y, int64_t x) { return Point{static_cast<double>(x) + dx.at(y, x), static_cast<double>(y) + dy.at(y, x)}; }), picture);
}

}  // namespace sparring::corruptions
