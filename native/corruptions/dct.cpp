#include "corruptions/dct.h"

namespace sparring::corruptions {
namespace {

constexpr int kFraction = 13;    // bits after the point of the factors
constexpr int kBetween = 2;      // further bits that are kept from the first axis to the second

constexpr int fixed(double factor) { return static_cast<int>(factor * (1 << kFraction) + 0.5); }
constexpr int descale(int value, int bits) { return (value + (1 << (bits - 1))) >> bits; }

struct Pair {
  int first, second;
};

// A rotation by three eighths of a right angle, times the square root of two.
Pair rotated(int a, int b) {
  const auto both = (a + b) * fixed(0.541196100);
  return {both + a * fixed(0.765366865), both - b * fixed(1.847759065)};
}

// The odd half of the transform, which is its own inverse up to the order.
std::array<int, 4> odd(int a, int b, int c, int d) {
  const auto all = (a + b + c + d) * fixed(1.175875602);
  const auto outer = (a + d) * -fixed(0.899976223), inner = (b + c) * -fixed(2.562915447);
  const auto even = all + (a + c) * -fixed(1.961570560), uneven = all + (b + d) * -fixed(0.390180644);
  return {a * fixed(0.298631336) + outer + even, b * fixed(2.053119869) + inner + uneven, c * fixed(3.072711026) + inner + even, d * fixed(1.501321110) + outer + uneven};
}

// Eight values `stride` apart. `bits` are those of the results that fall away, without those of the factors.
void forward(int* v, int stride, int bits) {
  const auto at = [&](int i) -> int& { return v[i * stride]; };
  const auto sum = [&](int i) { return at(i) + at(7 - i); };
  const auto difference = [&](int i) { return at(i) - at(7 - i); };
  const auto outer = sum(0) + sum(3), inner = sum(1) + sum(2);
  const auto [two, six] = rotated(sum(0) - sum(3), sum(1) - sum(2));
  const auto [seven, five, three, one] = odd(difference(3), difference(2), difference(1), difference(0));
  const auto scaled = [&](int value) { return bits < 0 ? value << -bits : descale(value, bits); };
  at(0) = scaled(outer + inner);
  at(4) = scaled(outer - inner);
  at(2) = descale(two, kFraction + bits);
  at(6) = descale(six, kFraction + bits);
  at(7) = descale(seven, kFraction + bits);
  at(5) = descale(five, kFraction + bits);
  at(3) = descale(three, kFraction + bits);
  at(1) = descale(one, kFraction + bits);
}

void inverse(int* v, int stride, int bits) {
  const auto at = [&](int i) -> int& { return v[i * stride]; };
  const auto [three, two] = rotated(at(2), at(6));
  const auto zero = (at(0) + at(4)) * (1 << kFraction), one = (at(0) - at(4)) * (1 << kFraction);
  const auto [d, c, b, a] = odd(at(7), at(5), at(3), at(1));
  const std::array<Pair, 4> halves{{{zero + three, a}, {one + two, b}, {one - two, c}, {zero - three, d}}};
  for (int i = 0; i < 4; ++i) {
    at(i) = descale(halves[i].first + halves[i].second, kFraction + bits);
    at(7 - i) = descale(halves[i].first - halves[i].second, kFraction + bits);
  }
}

}  // namespace

void forward_dct(Block& block) {
  for (int i = 0; i < kBlock; ++i) forward(block.data() + i * kBlock, 1, -kBetween);
  for (int i = 0; i < kBlock; ++i) forward(block.data() + i, kBlock, kBetween);
}

void inverse_dct(Block& block) {
  for (int i = 0; i < kBlock; ++i) inverse(block.data() + i, kBlock, -kBetween);
  for (int i = 0; i < kBlock; ++i) inverse(block.data() + i * kBlock, 1, kBetween + 3);
}

}  // namespace sparring::corruptions
