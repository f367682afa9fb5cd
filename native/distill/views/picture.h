// An 8-bit image on which augmentations work as Pillow's do, and its way from and to the floats of a batch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace sparring {

struct Picture {
  int64_t height, width;
  std::vector<uint8_t> pixels;  // [H, W, 3]

  int64_t places() const { return height * width; }
};

// in: [H, W, 3] in 0..1, rounded to 8 bits
inline Picture to_picture(const float* in, int64_t height, int64_t width) {
  Picture picture{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
  std::transform(in, in + picture.pixels.size(), picture.pixels.begin(), [](float value) { return static_cast<uint8_t>(std::lround(value * 255)); });
  return picture;
}

// out: [H, W, 3] in 0..1
inline void to_floats(const Picture& picture, float* out) {
  std::transform(picture.pixels.begin(), picture.pixels.end(), out, [](uint8_t value) { return static_cast<float>(value) / 255; });
}

}  // namespace sparring
