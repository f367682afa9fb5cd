// Between bytes and numbers in 0..1, as NumPy has it: divided by 255, and cut off, not rounded, on the way back.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "corruptions/grid.h"
#include "distill/views/picture.h"

namespace sparring::corruptions {

inline double unit(uint8_t value) { return static_cast<double>(value) / 255.0; }

template <typename T>
uint8_t byte_of(T value) {
  return static_cast<uint8_t>(std::clamp<T>(value, 0, 1) * 255);
}

template <typename T>
Grid<T> unit_grid(const Picture& picture) {
  std::array<T, 256> units;
  for (size_t value = 0; value < units.size(); ++value) units[value] = static_cast<T>(unit(static_cast<uint8_t>(value)));
  Grid<T> grid(picture.height, 3);
  std::transform(picture.pixels.begin(), picture.pixels.end(), grid.values.begin(), [&](uint8_t value) { return units[value]; });
  return grid;
}

template <typename T>
void store(const Grid<T>& grid, Picture& picture) {
  std::transform(grid.values.begin(), grid.values.end(), picture.pixels.begin(), byte_of<T>);
}

}  // namespace sparring::corruptions
