#include "corruptions/edges.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace sparring::corruptions {
namespace {

struct Gradient {
  int x = 0, y = 0;
  int strength() const { return std::abs(x) + std::abs(y); }
};

Grid<Gradient> sobel(const Grid<uint8_t>& image) {
  Grid<Gradient> gradients(image.side, 1);
  for (int64_t y = 0; y < image.side; ++y) {
    for (int64_t x = 0; x < image.side; ++x) {
      const auto at = [&](int64_t dy, int64_t dx) -> int { return image.at(inside(y + dy, image.side, Border::replicate), inside(x + dx, image.side, Border::replicate)); };
      gradients.at(y, x) = {at(-1, 1) + 2 * at(0, 1) + at(1, 1) - at(-1, -1) - 2 * at(0, -1) - at(1, -1),
                            at(1, -1) + 2 * at(1, 0) + at(1, 1) - at(-1, -1) - 2 * at(-1, 0) - at(-1, 1)};
    }
  }
  return gradients;
}

// Whether the gradient is strongest here along its own direction, of which there are four.
bool is_ridge(const Grid<Gradient>& gradients, int64_t y, int64_t x) {
  const auto strength = [&](int64_t dy, int64_t dx) {
    const auto row = y + dy, column = x + dx;
    return row < 0 || row >= gradients.side || column < 0 || column >= gradients.side ? 0 : gradients.at(row, column).strength();
  };
  constexpr int kShift = 15, kTangent = 13573;  // tan(22.5 degrees) in 15 bits
  const auto& gradient = gradients.at(y, x);
  const auto own = gradient.strength();
  const int64_t across = std::abs(gradient.x), down = static_cast<int64_t>(std::abs(gradient.y)) << kShift;
  if (down < across * kTangent) return own > strength(0, -1) && own >= strength(0, 1);
  if (down > across * kTangent + (across << (kShift + 1))) return own > strength(-1, 0) && own >= strength(1, 0);
  const auto side = (gradient.x ^ gradient.y) < 0 ? -1 : 1;
  return own > strength(-1, -side) && own > strength(1, side);
}

}  // namespace

Grid<uint8_t> canny_edges(const Grid<uint8_t>& image, int low, int high) {
  const auto gradients = sobel(image);
  const auto side = image.side;
  Grid<uint8_t> candidates(side, 1), edges(side, 1);
  std::vector<std::pair<int64_t, int64_t>> open;
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const auto strength = gradients.at(y, x).strength();
      if (strength <= low || !is_ridge(gradients, y, x)) continue;
      candidates.at(y, x) = 1;
      if (strength > high) edges.at(y, x) = 1, open.emplace_back(y, x);
    }
  }
  while (!open.empty()) {
    const auto [y, x] = open.back();
    open.pop_back();
    for (auto row = std::max<int64_t>(y - 1, 0); row <= std::min(y + 1, side - 1); ++row) {
      for (auto column = std::max<int64_t>(x - 1, 0); column <= std::min(x + 1, side - 1); ++column) {
        if (!candidates.at(row, column) || edges.at(row, column)) continue;
        edges.at(row, column) = 1;
        open.emplace_back(row, column);
      }
    }
  }
  return edges;
}

Grid<float> distances(const Grid<uint8_t>& edges) {
  struct Step {
    int64_t dy, dx;
    int64_t length;  // 1, 1.4 and 2.1969 in 16 bits of fraction
  };
  constexpr std::array<Step, 8> kBefore{{{-2, -1, 143976}, {-2, 1, 143976}, {-1, -2, 143976}, {-1, -1, 91750}, {-1, 0, 65536}, {-1, 1, 91750}, {-1, 2, 143976}, {0, -1, 65536}}};
  constexpr int64_t kFar = int64_t{1} << 40, kMargin = 2;
  const auto side = edges.side;
  Grid<int64_t> lengths(side + 2 * kMargin, 1);
  std::fill(lengths.values.begin(), lengths.values.end(), kFar);
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      if (edges.at(y, x)) lengths.at(y + kMargin, x + kMargin) = 0;
    }
  }
  std::array<int64_t, kBefore.size()> offsets;
  for (size_t i = 0; i < offsets.size(); ++i) offsets[i] = kBefore[i].dy * lengths.side + kBefore[i].dx;
  const auto relax = [&](int64_t y, int64_t x, int64_t sign) {
    auto* place = &lengths.at(y + kMargin, x + kMargin);
    for (size_t i = 0; i < offsets.size(); ++i) *place = std::min(*place, place[sign * offsets[i]] + kBefore[i].length);
  };
  for (int64_t place = 0; place < side * side; ++place) relax(place / side, place % side, 1);
  for (int64_t place = side * side - 1; place >= 0; --place) relax(place / side, place % side, -1);
  Grid<float> result(side, 1);
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) result.at(y, x) = static_cast<float>(static_cast<double>(lengths.at(y + kMargin, x + kMargin)) / 65536);
  }
  return result;
}

void equalise(Grid<uint8_t>& image) {
  std::array<int64_t, 256> counts{};
  for (const auto value : image.values) ++counts[value];
  const auto first = static_cast<size_t>(std::find_if(counts.begin(), counts.end(), [](int64_t count) { return count > 0; }) - counts.begin());
  const auto total = static_cast<int64_t>(image.values.size());
  if (counts[first] == total) return;
  const auto scale = 255.f / static_cast<float>(total - counts[first]);
  std::array<uint8_t, 256> table{};
  int64_t sum = 0;
  for (auto value = first + 1; value < 256; ++value) {
    sum += counts[value];
    table[value] = static_cast<uint8_t>(std::nearbyint(static_cast<float>(sum) * scale));
  }
  for (auto& value : image.values) value = table[value];
}

Grid<double> filtered_3x3(const Grid<double>& grid, const std::array<double, 9>& kernel) {
  const auto side = grid.side;
  Grid<double> result(side, 1);
  for (int64_t y = 0; y < side; ++y) {
    const std::array<const double*, 3> rows{grid.row(inside(y - 1, side, Border::mirror)), grid.row(y), grid.row(inside(y + 1, side, Border::mirror))};
    for (int64_t x = 0; x < side; ++x) {
      const auto left = inside(x - 1, side, Border::mirror), right = inside(x + 1, side, Border::mirror);
      double sum = 0;
      for (size_t i = 0; i < 3; ++i) sum += kernel[3 * i] * rows[i][left] + kernel[3 * i + 1] * rows[i][x] + kernel[3 * i + 2] * rows[i][right];
      result.at(y, x) = sum;
    }
  }
  return result;
}

}  // namespace sparring::corruptions
