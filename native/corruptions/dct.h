// The discrete cosine transform of JPEG in whole numbers with the roundings of libjpeg's accurate integer method, by the
// algorithm of Loeffler, Ligtenberg & Moschytz (1989).
#pragma once

#include <array>

namespace sparring::corruptions {

constexpr int kBlock = 8;
using Block = std::array<int, kBlock * kBlock>;  // [8, 8]

// Eight times the coefficients of values in -128..127.
void forward_dct(Block& block);
// Values of coefficients.
void inverse_dct(Block& block);

}  // namespace sparring::corruptions
