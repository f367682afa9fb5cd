#include "distill/views/geometric_ops.h"

#include <numbers>

namespace sparring {
namespace {

// Source x = a x + b y + c, source y = d x + e y + f, of the centres of pixels (x + 1/2, y + 1/2).
struct Affine {
  double a, b, c, d, e, f;
};

void transform(Picture& picture, const Affine& affine, uint8_t fill) {
  const auto height = picture.height, width = picture.width;
  const auto source = picture.pixels;
  const auto at = [&](int64_t y, int64_t x, int c) { return static_cast<double>(source[(y * width + x) * 3 + c]); };
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      auto* target = &picture.pixels[(y * width + x) * 3];
      const double from_x = affine.a * (x + 0.5) + affine.b * (y + 0.5) + affine.c, from_y = affine.d * (x + 0.5) + affine.e * (y + 0.5) + affine.f;
      if (from_x < 0 || from_x >= width || from_y < 0 || from_y >= height) {
        std::fill(target, target + 3, fill);
        continue;
      }
      const double left = std::floor(from_x - 0.5), top = std::floor(from_y - 0.5);
      const double along_x = from_x - 0.5 - left, along_y = from_y - 0.5 - top;
      const auto x0 = std::max<int64_t>(static_cast<int64_t>(left), 0), x1 = std::min<int64_t>(static_cast<int64_t>(left) + 1, width - 1);
      const auto y0 = std::max<int64_t>(static_cast<int64_t>(top), 0), y1 = std::min<int64_t>(static_cast<int64_t>(top) + 1, height - 1);
      for (int c = 0; c < 3; ++c) {
        const auto upper = at(y0, x0, c) + (at(y0, x1, c) - at(y0, x0, c)) * along_x;
        const auto lower = at(y1, x0, c) + (at(y1, x1, c) - at(y1, x0, c)) * along_x;
        target[c] = static_cast<uint8_t>(upper + (lower - upper) * along_y);
      }
    }
  }
}

}  // namespace

void rotate(Picture& picture, double degrees, uint8_t fill) {
  if (degrees == 0) return;
  const auto rounded = [](double value) { return std::round(value * 1e15) / 1e15; };  // so that sin and cos of right angles are whole
  const auto angle = -degrees * std::numbers::pi / 180;
  const auto cosine = rounded(std::cos(angle)), sine = rounded(std::sin(angle));
  const auto centre_x = static_cast<double>(picture.width) / 2, centre_y = static_cast<double>(picture.height) / 2;
  transform(picture, {cosine, sine, centre_x - cosine * centre_x - sine * centre_y, -sine, cosine, centre_y + sine * centre_x - cosine * centre_y}, fill);
}

void shear_x(Picture& picture, double factor, uint8_t fill) { transform(picture, {1, factor, 0, 0, 1, 0}, fill); }
void shear_y(Picture& picture, double factor, uint8_t fill) { transform(picture, {1, 0, 0, factor, 1, 0}, fill); }
void translate_x(Picture& picture, double pixels, uint8_t fill) { transform(picture, {1, 0, pixels, 0, 1, 0}, fill); }
void translate_y(Picture& picture, double pixels, uint8_t fill) { transform(picture, {1, 0, 0, 0, 1, pixels}, fill); }

}  // namespace sparring
