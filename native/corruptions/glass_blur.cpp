// Blur, pixels that take the place of near ones, blur again.
#include "corruptions/corruption.h"
#include "corruptions/pixels.h"
#include "corruptions/smooth.h"

namespace sparring::corruptions {
namespace {

struct Glass {
  double sigma, reach;  // in pixels
  int passes;
};

constexpr Severities<Glass> kGlass{{{{.7, 1, 2}, {.9, 2, 1}, {1, 2, 3}, {1.1, 3, 2}, {1.5, 4, 2}}}, {{{.05, 1, 1}, {.25, 1, 1}, {.4, 1, 1}, {.25, 1, 2}, {.4, 1, 2}}}};

void soften(Picture& picture, double sigma) {
  auto grid = unit_grid<double>(picture);
  smooth(grid, sigma);
  store(grid, picture);
}

}  // namespace

void glass_blur(Picture& picture, const Setting& setting, Draws& draws) {
  const auto& glass = setting.of(kGlass);
  const auto sigma = glass.sigma * setting.scale();
  const auto reach = setting.places(glass.reach), side = picture.height;
  soften(picture, sigma);
  const auto at = [&](int64_t y, int64_t x) { return picture.pixels.begin() + (y * side + x) * 3; };
  for (int pass = 0; pass < glass.passes; ++pass) {
    for (auto y = side - reach; y > reach; --y) {
      for (auto x = side - reach; x > reach; --x) {
        const auto dx = draws.integer(-reach, reach), dy = draws.integer(-reach, reach);
        // The reference means to exchange the two, but by then the first is gone: one is copied over the other.
        std::copy_n(at(y + dy, x + dx), 3, at(y, x));
      }
    }
  }
  soften(picture, sigma);
}

}  // namespace sparring::corruptions
