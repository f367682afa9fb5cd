// Random numbers of one image, drawn one after the other; a function of its seed and of the corruption alone. The
// severity is no part of it, so that one seed gives the same noise in five strengths.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <utility>

#include "ops/random.h"

namespace sparring::corruptions {

class Draws {
 public:
  Draws(uint64_t seed, uint64_t corruption) : rng_(seed, Stream::corruption, corruption) {}

  double uniform() { return rng_.uniform(next_++); }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // In low..below-1
  int64_t integer(int64_t low, int64_t below) { return low + static_cast<int64_t>(uniform() * static_cast<double>(below - low)); }
  // Box-Muller: two uniform numbers give two independent normal ones.
  double normal() {
    if (spare_) return *std::exchange(spare_, std::nullopt);
    const auto radius = std::sqrt(-2 * std::log(1 - uniform())), angle = 2 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    return radius * std::cos(angle);
  }

 private:
  CounterRng rng_;
  uint64_t next_ = 0;
  std::optional<double> spare_;
};

}  // namespace sparring::corruptions
