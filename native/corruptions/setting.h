// How strong a corruption is: which of the published tables, which of its five columns, and the size of the image.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace sparring::corruptions {

// Strengths by severity for ImageNet-C (images of 224 px) and for CIFAR-10-C (of 32 px).
template <typename T>
struct Severities {
  std::array<T, 5> imagenet, cifar;
};

class Setting {
 public:
  // severity: 1..5; side of the image in pixels
  Setting(int64_t severity, int64_t side)
      : column_(static_cast<size_t>(severity - 1)), cifar_(side < kCifarBelow), scale_(static_cast<double>(side) / (cifar_ ? 32 : 224)) {}

  template <typename T>
  const T& of(const Severities<T>& severities) const {
    return (cifar_ ? severities.cifar : severities.imagenet)[column_];
  }
  // Side over the side that the table was made for: lengths of the table in pixels are multiplied by it.
  double scale() const { return scale_; }
  // A length of the table as a whole number of pixels.
  int64_t places(double length) const { return std::max<int64_t>(1, std::lround(length * scale_)); }

 private:
  static constexpr int64_t kCifarBelow = 85;  // sqrt(32 * 224): the table of the nearer size, by ratio

  size_t column_;
  bool cifar_;
  double scale_;
};

}  // namespace sparring::corruptions
