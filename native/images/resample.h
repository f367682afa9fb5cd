// Resampling of 8-bit images to the bit as Pillow 13 does it, which torchvision's transforms are built on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sparring::images {

enum class Kernel { kBilinear, kBicubic, kLanczos };

std::optional<Kernel> kernel_named(const std::string& name);

// One axis: of `length` pixels, `from` that begin at `start` are resized to `to`, of which `count` are wanted, from `first` on.
struct Axis {
  int64_t length, start, from, to, first, count;
};

// in: [down.length, across.length, 3] -> out: [down.count, across.count, 3]. The kernel is widened along an axis that becomes shorter.
void resample(const uint8_t* in, const Axis& down, const Axis& across, Kernel kernel, uint8_t* out);

}  // namespace sparring::images
