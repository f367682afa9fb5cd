// Noise of each value by itself: Gaussian, shot (Poisson), impulse (salt and pepper), speckle (multiplicative).
#include <algorithm>
#include <cmath>

#include "corruptions/corruption.h"
#include "corruptions/pixels.h"

namespace sparring::corruptions {
namespace {

constexpr Severities<double> kGaussian{{.08, .12, .18, .26, .38}, {.04, .06, .08, .09, .10}};    // standard deviation
constexpr Severities<double> kShot{{60, 25, 12, 5, 3}, {500, 250, 100, 75, 50}};                 // photons of a white pixel
constexpr Severities<double> kImpulse{{.03, .06, .09, .17, .27}, {.01, .02, .03, .05, .07}};     // share of the values
constexpr Severities<double> kSpeckle{{.15, .2, .35, .45, .6}, {.06, .1, .12, .16, .2}};         // standard deviation over the value

// The Poisson distribution with one mean, drawn from by inversion.
class Poisson {
 public:
  explicit Poisson(double mean) {
    auto chance = std::exp(-mean), sum = chance;
    cumulative_.push_back(sum);
    for (double count = 1; count <= mean || chance > 1e-20; ++count) cumulative_.push_back(sum += chance *= mean / count);
    cumulative_.back() = 1;
  }
  // The smallest count whose cumulative probability is at least the number, which lies in [0, 1).
  double operator()(double number) const {
    return static_cast<double>(std::lower_bound(cumulative_.begin(), cumulative_.end(), number) - cumulative_.begin());
  }

 private:
  std::vector<double> cumulative_;
};

}  // namespace

void gaussian_noise(Picture& picture, const Setting& setting, Draws& draws) {
  const auto deviation = setting.of(kGaussian);
  for (auto& value : picture.pixels) value = byte_of(unit(value) + deviation * draws.normal());
}

void speckle_noise(Picture& picture, const Setting& setting, Draws& draws) {
  const auto deviation = setting.of(kSpeckle);
  for (auto& value : picture.pixels) value = byte_of(unit(value) + unit(value) * (deviation * draws.normal()));
}

void shot_noise(Picture& picture, const Setting& setting, Draws& draws) {
  const auto photons = setting.of(kShot);
  std::array<std::optional<Poisson>, 256> distributions;  // by value
  for (auto& value : picture.pixels) {
    auto& distribution = distributions[value];
    if (!distribution) distribution.emplace(unit(value) * photons);
    value = byte_of((*distribution)(draws.uniform()) / photons);
  }
}

void impulse_noise(Picture& picture, const Setting& setting, Draws& draws) {
  const auto share = setting.of(kImpulse);
  std::vector<bool> hit(picture.pixels.size());
  for (size_t i = 0; i < hit.size(); ++i) hit[i] = draws.uniform() <= share;
  for (size_t i = 0; i < hit.size(); ++i) {
    const auto salt = draws.uniform() <= 0.5;
    picture.pixels[i] = hit[i] ? (salt ? 255 : 0) : byte_of(unit(picture.pixels[i]));
  }
}

}  // namespace sparring::corruptions
