#include "distill/views/enhance_ops.h"

namespace sparring {
namespace {

// ITU-R BT.601 luma in 16-bit fixed point.
int grey_of(const uint8_t* pixel) {
  return (pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16;
}

uint8_t blend(int degenerate, int value, float factor) {
  return static_cast<uint8_t>(std::clamp(static_cast<float>(degenerate) + factor * static_cast<float>(value - degenerate), 0.0f, 255.0f));
}

}  // namespace

void enhance_colour(Picture& picture, float factor) {
  for (int64_t i = 0; i < picture.places(); ++i) {
    auto* pixel = &picture.pixels[i * 3];
    const auto grey = grey_of(pixel);
    for (int c = 0; c < 3; ++c) pixel[c] = blend(grey, pixel[c], factor);
  }
}

void enhance_contrast(Picture& picture, float factor) {
  int64_t sum = 0;
  for (int64_t i = 0; i < picture.places(); ++i) sum += grey_of(&picture.pixels[i * 3]);
  const auto mean = static_cast<int>(static_cast<double>(sum) / static_cast<double>(picture.places()) + 0.5);
  for (auto& value : picture.pixels) value = blend(mean, value, factor);
}

void enhance_brightness(Picture& picture, float factor) {
  for (auto& value : picture.pixels) value = blend(0, value, factor);
}

void enhance_sharpness(Picture& picture, float factor) {
  const auto sharp = picture.pixels;
  const auto row = picture.width * 3;
  for (int64_t y = 1; y + 1 < picture.height; ++y) {
    for (int64_t i = y * row + 3; i < (y + 1) * row - 3; ++i) {
      int sum = 4 * sharp[i];  // the kernel is 5 in the middle and 1 around, over 13
      for (const auto line : {i - row, i, i + row}) sum += sharp[line - 3] + sharp[line] + sharp[line + 3];
      picture.pixels[i] = blend((2 * sum + 13) / 26, sharp[i], factor);
    }
  }
}

}  // namespace sparring
