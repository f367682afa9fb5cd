#include "corruptions/plasma.h"

#include <algorithm>
#include <bit>

namespace sparring::corruptions {

Grid<double> plasma(int64_t least_side, double decay, Draws& draws) {
  const auto side = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(least_side)));
  Grid<double> map(side, 1);
  const auto at = [&](int64_t y, int64_t x) { return map.at((y + side) % side, (x + side) % side); };
  double wobble = 100;
  const auto wobbled = [&](double sum) { return sum / 4 + wobble * draws.uniform(-wobble, wobble); };
  const auto each = [&](int64_t top, int64_t left, int64_t step, const auto& value) {
    for (auto y = top; y < side; y += step) {
      for (auto x = left; x < side; x += step) map.at(y, x) = value(y, x);
    }
  };
  for (auto step = side; step >= 2; step /= 2) {
    const auto half = step / 2;
    // The middle of each square from its corners, then that of each edge from its ends and the middles beside it.
    each(half, half, step, [&](int64_t y, int64_t x) { return wobbled(at(y - half, x - half) + at(y + half, x - half) + at(y - half, x + half) + at(y + half, x + half)); });
    const auto around = [&](int64_t y, int64_t x) { return wobbled(at(y - half, x) + at(y + half, x) + at(y, x - half) + at(y, x + half)); };
    each(0, half, step, around);
    each(half, 0, step, around);
    wobble /= decay;
  }
  const auto [least, most] = std::minmax_element(map.values.begin(), map.values.end());
  const auto low = *least, range = *most - low;
  for (auto& value : map.values) value = (value - low) / range;
  return map;
}

}  // namespace sparring::corruptions
