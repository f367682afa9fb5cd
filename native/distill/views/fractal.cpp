#include "distill/views/fractal.h"

#include <array>
#include <numbers>

#include <ATen/Parallel.h>

#include "ops/random.h"

namespace sparring {
namespace {

constexpr int kFewestMaps = 3, kMostMaps = 6;
constexpr int kPointsPerPlace = 12, kWarmUp = 64, kMeasured = 2048;
constexpr double kGamma = 1 / 2.2;

using Colour = std::array<double, 3>;  // 0..1

struct Point {
  double x, y;
};

// A contraction of the plane and the colour of what it leads to.
struct Map {
  double a, b, c, d, e, f, chance;
  Colour colour;

  Point operator()(const Point& from) const { return {a * from.x + b * from.y + c, d * from.x + e * from.y + f}; }
};

class Numbers {
 public:
  explicit Numbers(int64_t picture) : rng_(0, Stream::fractal, static_cast<uint64_t>(picture)) {}
  double operator()(double low, double high) { return rng_.uniform(next_++, low, high); }
  Colour colour() { return {(*this)(0, 1), (*this)(0, 1), (*this)(0, 1)}; }

 private:
  CounterRng rng_;
  uint64_t next_ = 0;
};

// Rotation, scaling along both axes, rotation: that bounds how much a map contracts.
Map draw_map(Numbers& numbers) {
  const auto turn = numbers(0, 2 * std::numbers::pi), back = numbers(0, 2 * std::numbers::pi);
  const auto wide = numbers(0.4, 0.85), high = numbers(0.3, 0.75) * (numbers(0, 1) < 0.5 ? -1 : 1);
  const auto ct = std::cos(turn), st = std::sin(turn), cb = std::cos(back), sb = std::sin(back);
  return {ct * wide * cb - st * high * sb, -ct * wide * sb - st * high * cb, numbers(-1, 1),
          st * wide * cb + ct * high * sb, -st * wide * sb + ct * high * cb, numbers(-1, 1),
          wide * std::abs(high),           numbers.colour()};
}

std::vector<Map> draw_system(Numbers& numbers) {
  std::vector<Map> maps(static_cast<size_t>(numbers(kFewestMaps, kMostMaps + 1)));
  double total = 0;
  for (auto& map : maps) total += (map = draw_map(numbers)).chance;
  for (auto& map : maps) map.chance /= total;
  return maps;
}

const Map& choose(const std::vector<Map>& maps, double number) {
  for (const auto& map : maps) {
    if ((number -= map.chance) < 0) return map;
  }
  return maps.back();
}

// The square that most of the points fall into: around their mean, by their spread.
struct Window {
  double left, top, scale;  // places per unit
};

Window measure(const std::vector<Map>& maps, Numbers& numbers, Point& point, int64_t side) {
  double sum_x = 0, sum_y = 0, squares = 0;
  for (int i = -kWarmUp; i < kMeasured; ++i) {
    point = choose(maps, numbers(0, 1))(point);
    if (i < 0) continue;
    sum_x += point.x, sum_y += point.y, squares += point.x * point.x + point.y * point.y;
  }
  const auto x = sum_x / kMeasured, y = sum_y / kMeasured;
  const auto half = 1.6 * std::sqrt(std::max(squares / kMeasured - x * x - y * y, 1e-6));
  return {x - half, y - half, static_cast<double>(side) / (2 * half)};
}

}  // namespace

Picture fractal(int64_t number, int64_t side) {
  Numbers numbers(number);
  const auto maps = draw_system(numbers);
  const std::array<Colour, 2> ground{numbers.colour(), numbers.colour()};  // at the top and at the bottom
  Point point{0, 0};
  const auto window = measure(maps, numbers, point, side);

  const auto places = side * side;
  std::vector<double> counts(static_cast<size_t>(places)), colours(static_cast<size_t>(places * 3));
  Colour colour{0.5, 0.5, 0.5};
  for (int64_t i = 0; i < kPointsPerPlace * places; ++i) {
    const auto& map = choose(maps, numbers(0, 1));
    point = map(point);
    for (int c = 0; c < 3; ++c) colour[c] = (colour[c] + map.colour[c]) / 2;  // of the last few maps, so that parts differ
    const auto x = static_cast<int64_t>(std::floor((point.x - window.left) * window.scale)), y = static_cast<int64_t>(std::floor((point.y - window.top) * window.scale));
    if (x < 0 || x >= side || y < 0 || y >= side) continue;
    counts[y * side + x] += 1;
    for (int c = 0; c < 3; ++c) colours[(y * side + x) * 3 + c] += colour[c];
  }

  const auto brightest = std::log1p(*std::max_element(counts.begin(), counts.end()));
  Picture picture{side, side, std::vector<uint8_t>(static_cast<size_t>(places * 3))};
  for (int64_t i = 0; i < places; ++i) {
    const auto density = brightest > 0 ? std::pow(std::log1p(counts[i]) / brightest, kGamma) : 0.0;
    const auto down = static_cast<double>(i / side) / static_cast<double>(side);
    for (int c = 0; c < 3; ++c) {
      const auto behind = ground[0][c] + (ground[1][c] - ground[0][c]) * down;
      const auto own = counts[i] > 0 ? colours[i * 3 + c] / counts[i] : 0.0;
      picture.pixels[i * 3 + c] = static_cast<uint8_t>(std::lround(255 * (behind + (own - behind) * density)));
    }
  }
  return picture;
}

MixingPictures::MixingPictures(int64_t view_side) : side_(view_side), spare_(std::max<int64_t>(view_side / 8, 1)), pictures_(kCount) {
  at::parallel_for(0, kCount, 1, [&](int64_t begin, int64_t end) {
    for (auto i = begin; i < end; ++i) pictures_[i] = fractal(i, side_ + spare_);
  });
}

void MixingPictures::cut(int64_t picture, int64_t top, int64_t left, bool mirrored, float* out) const {
  const auto& source = pictures_[picture];
  for (int64_t y = 0; y < side_; ++y) {
    for (int64_t x = 0; x < side_; ++x) {
      const auto column = left + (mirrored ? side_ - 1 - x : x);
      for (int c = 0; c < 3; ++c) *out++ = static_cast<float>(source.pixels[((top + y) * source.width + column) * 3 + c]) / 255;
    }
  }
}

}  // namespace sparring
