// The middle of a grid enlarged to a little more than its size, by SciPy's zoom of order 1.
#pragma once

#include <algorithm>
#include <cmath>

#include "corruptions/grid.h"

namespace sparring::corruptions {

// Where the places of an enlarged row come from.
struct ZoomPlaces {
  std::vector<int64_t> first;   // and the one after it
  std::vector<double> second;   // weight of the one after it; the first has the rest
  std::vector<bool> outside;    // by a rounding error of the last coordinate: SciPy takes 0 there
};

inline ZoomPlaces zoom_places(int64_t from, int64_t to) {
  ZoomPlaces places;
  const auto step = static_cast<double>(from - 1) / static_cast<double>(to - 1);
  for (int64_t i = 0; i < to; ++i) {
    const auto place = static_cast<double>(i) * step;
    const auto first = std::floor(place);
    places.outside.push_back(place > static_cast<double>(from - 1));
    places.first.push_back(static_cast<int64_t>(first));
    places.second.push_back(place - first);
  }
  return places;
}

// factor: at least 1. The result has at least the side of the grid, and up to `factor` places more.
template <typename T>
Grid<T> clipped_zoom(const Grid<T>& grid, double factor) {
  const auto kept = static_cast<int64_t>(std::ceil(static_cast<double>(grid.side) / factor));
  const auto margin = (grid.side - kept) / 2;
  const auto side = static_cast<int64_t>(std::nearbyint(static_cast<double>(kept) * factor));
  const auto places = zoom_places(kept, side);
  Grid<T> result(side, grid.channels);
  for (int64_t y = 0; y < side; ++y) {
    if (places.outside[y]) continue;
    const T* above = grid.row(margin + places.first[y]);
    const T* below = grid.row(margin + std::min(places.first[y] + 1, kept - 1));
    const auto low = places.second[y], high = 1 - low;
    for (int64_t x = 0; x < side; ++x) {
      if (places.outside[x]) continue;
      const auto left = (margin + places.first[x]) * grid.channels, right = (margin + std::min(places.first[x] + 1, kept - 1)) * grid.channels;
      const auto east = places.second[x], west = 1 - east;
      for (int64_t c = 0; c < grid.channels; ++c) {
        result.at(y, x, c) = static_cast<T>(above[left + c] * high * west + above[right + c] * high * east + below[left + c] * low * west + below[right + c] * low * east);
      }
    }
  }
  return result;
}

}  // namespace sparring::corruptions
