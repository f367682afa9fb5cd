// Square arrays of numbers with one or three channels, and what lies beyond their borders.
#pragma once

#include <cstdint>
#include <vector>

namespace sparring::corruptions {

template <typename T>
struct Grid {
  Grid(int64_t side, int64_t channels) : side(side), channels(channels), values(static_cast<size_t>(side * side * channels)) {}

  int64_t side, channels;
  std::vector<T> values;  // [side, side, channels]

  int64_t row_length() const { return side * channels; }
  T* row(int64_t y) { return values.data() + y * row_length(); }
  const T* row(int64_t y) const { return values.data() + y * row_length(); }
  T& at(int64_t y, int64_t x, int64_t channel = 0) { return row(y)[x * channels + channel]; }
  const T& at(int64_t y, int64_t x, int64_t channel = 0) const { return row(y)[x * channels + channel]; }
};

enum class Border {
  replicate,  // aaa|abcd|ddd: SciPy's nearest
  reflect,    // cba|abcd|dcb: SciPy's reflect
  mirror,     // dcb|abcd|cba: OpenCV's default
};

// The place within 0..side-1 whose value one finds at `place`, which may lie anywhere.
inline int64_t inside(int64_t place, int64_t side, Border border) {
  if (border == Border::replicate) return place < 0 ? 0 : place >= side ? side - 1 : place;
  const int64_t skip = border == Border::mirror ? 1 : 0, period = 2 * (side - skip);
  place %= period;
  if (place < 0) place += period;
  return place < side ? place : period - 1 - place + skip;
}

}  // namespace sparring::corruptions
