// The cubic kernel of every bicubic resampling here.
#pragma once

#include <cmath>

namespace sparring::images {

// Keys 1981, a = -1/2.
inline double cubic(double x) {
  x = std::abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

}  // namespace sparring::images
