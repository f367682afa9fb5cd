// What baseline JPEG loses, as libjpeg does it with its defaults: colours at half the resolution, and the rounding of DCT
// coefficients. The entropy coding between the two loses nothing and is left out.
#include <cstdlib>

#include "corruptions/corruption.h"
#include "corruptions/dct.h"
#include "corruptions/grid.h"

namespace sparring::corruptions {
namespace {

constexpr Severities<int> kQuality{{25, 18, 15, 10, 7}, {80, 65, 58, 50, 40}};

using Quantisation = std::array<int, kBlock * kBlock>;

// Tables K.1 and K.2 of the standard (ITU-T T.81), for quality 50.
constexpr Quantisation kLuminance{16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,  14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
                                  18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,  49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
constexpr Quantisation kChrominance{17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
                                    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

Quantisation at_quality(Quantisation table, int quality) {
  const auto percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  for (auto& step : table) step = std::clamp((step * percent + 50) / 100, 1, 255);
  return table;
}

// To the nearest multiple of the step, halves away from 0; the coefficient comes in times eight.
int quantised(int coefficient, int step) {
  const auto levels = (std::abs(coefficient) + 4 * step) / (8 * step);
  return (coefficient < 0 ? -levels : levels) * step;
}

void through_block(Block& block, const Quantisation& steps) {
  for (auto& value : block) value -= 128;
  forward_dct(block);
  for (size_t i = 0; i < block.size(); ++i) block[i] = quantised(block[i], steps[i]);
  inverse_dct(block);
  for (auto& value : block) value = std::clamp(value + 128, 0, 255);
}

// Blocks that reach beyond the border see its last values on and on.
Grid<int> through_blocks(const Grid<int>& plane, const Quantisation& steps) {
  const auto side = plane.side;
  Grid<int> result(side, 1);
  Block block;
  for (int64_t top = 0; top < side; top += kBlock) {
    for (int64_t left = 0; left < side; left += kBlock) {
      const auto width = std::min<int64_t>(kBlock, side - left), height = std::min<int64_t>(kBlock, side - top);
      for (int64_t y = 0; y < kBlock; ++y) {
        const auto* from = plane.row(std::min(top + y, side - 1)) + left;
        auto* rest = std::copy_n(from, width, block.data() + y * kBlock);
        std::fill(rest, block.data() + (y + 1) * kBlock, from[width - 1]);
      }
      through_block(block, steps);
      for (int64_t y = 0; y < height; ++y) std::copy_n(block.data() + y * kBlock, width, result.row(top + y) + left);
    }
  }
  return result;
}

// Means of 2 x 2, rounded down and up in turn, in whole blocks: beyond the border on the right the values of the plane go
// on, beyond that at the bottom the means.
Grid<int> halved(const Grid<int>& plane) {
  const auto half = (plane.side + 1) / 2;
  Grid<int> result((half + kBlock - 1) / kBlock * kBlock, 1);
  for (int64_t y = 0; y < result.side; ++y) {
    const auto y0 = 2 * std::min(y, half - 1), y1 = std::min(y0 + 1, plane.side - 1);
    for (int64_t x = 0; x < result.side; ++x) {
      const auto x0 = std::min(2 * x, plane.side - 1), x1 = std::min(2 * x + 1, plane.side - 1);
      result.at(y, x) = (plane.at(y0, x0) + plane.at(y0, x1) + plane.at(y1, x0) + plane.at(y1, x1) + 1 + static_cast<int>(x % 2)) / 4;
    }
  }
  return result;
}

// Three parts of the nearest value and one of the next along both axes.
Grid<int> doubled(const Grid<int>& plane, int64_t side) {
  const auto half = (side + 1) / 2;
  Grid<int> result(side, 1);
  std::vector<int> columns(static_cast<size_t>(half));
  for (int64_t y = 0; y < side; ++y) {
    const auto *near = plane.row(y / 2), *far = plane.row(inside(y / 2 + (y % 2 ? 1 : -1), half, Border::replicate));
    for (int64_t x = 0; x < half; ++x) columns[x] = 3 * near[x] + far[x];
    auto* out = result.row(y);
    for (int64_t x = 0; x < side; ++x) {
      const auto beside = inside(x / 2 + (x % 2 ? 1 : -1), half, Border::replicate);
      out[x] = (3 * columns[x / 2] + columns[beside] + (x % 2 ? 7 : 8)) >> 4;
    }
  }
  return result;
}

constexpr int kFraction = 16;
constexpr int fixed(double factor) { return static_cast<int>(factor * (1 << kFraction) + 0.5); }
constexpr int kHalf = 1 << (kFraction - 1);
constexpr int kMiddle = (128 << kFraction) + kHalf - 1;  // halves are rounded down

}  // namespace

void jpeg_compression(Picture& picture, const Setting& setting, Draws&) {
  const auto quality = setting.of(kQuality);
  const auto side = picture.height;
  Grid<int> luminance(side, 1), blue(side, 1), red(side, 1);
  for (int64_t i = 0; i < picture.places(); ++i) {
    const int r = picture.pixels[3 * i], g = picture.pixels[3 * i + 1], b = picture.pixels[3 * i + 2];
    luminance.values[i] = (fixed(0.29900) * r + fixed(0.58700) * g + fixed(0.11400) * b + kHalf) >> kFraction;
    blue.values[i] = (-fixed(0.16874) * r - fixed(0.33126) * g + fixed(0.50000) * b + kMiddle) >> kFraction;
    red.values[i] = (fixed(0.50000) * r - fixed(0.41869) * g - fixed(0.08131) * b + kMiddle) >> kFraction;
  }
  luminance = through_blocks(luminance, at_quality(kLuminance, quality));
  const auto colours = at_quality(kChrominance, quality);
  blue = doubled(through_blocks(halved(blue), colours), side);
  red = doubled(through_blocks(halved(red), colours), side);
  for (int64_t i = 0; i < picture.places(); ++i) {
    const auto y = luminance.values[i], cb = blue.values[i] - 128, cr = red.values[i] - 128;
    const std::array<int, 3> rgb{y + ((fixed(1.40200) * cr + kHalf) >> kFraction), y + ((-fixed(0.34414) * cb - fixed(0.71414) * cr + kHalf) >> kFraction),
                                 y + ((fixed(1.77200) * cb + kHalf) >> kFraction)};
    for (int c = 0; c < 3; ++c) picture.pixels[3 * i + c] = static_cast<uint8_t>(std::clamp(rgb[c], 0, 255));
  }
}

}  // namespace sparring::corruptions
