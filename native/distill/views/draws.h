// Random numbers of one view, drawn one after the other from a range of the counter that is the view's own.
#pragma once

#include <cmath>
#include <numbers>

#include "ops/random.h"

namespace sparring {

class Draws {
 public:
  // view: its number within the step
  Draws(uint64_t seed, uint64_t step, uint64_t view) : rng_(seed, Stream::view_policy, step), next_(view * kDrawsPerView) {}

  double uniform() { return rng_.uniform(next_++); }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  int64_t integer(int64_t below) { return static_cast<int64_t>(uniform() * static_cast<double>(below)); }
  bool coin() { return uniform() < 0.5; }
  double either_sign(double value) { return coin() ? -value : value; }
  double normal() {
    const auto radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  static constexpr uint64_t kDrawsPerView = 1024;  // more than any policy takes
  CounterRng rng_;
  uint64_t next_;
};

}  // namespace sparring
