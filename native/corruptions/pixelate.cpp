// Reduced by Pillow's box filter and enlarged again without interpolation.
#include "corruptions/corruption.h"

namespace sparring::corruptions {
namespace {

constexpr Severities<double> kSides{{.6, .5, .4, .3, .25}, {.95, .9, .85, .75, .65}};  // over the side of the image
constexpr int kFractionBits = 22;                                                       // of Pillow's fixed-point weights

struct Span {
  int64_t first;
  std::vector<int> weights;
};

std::vector<Span> box(int64_t from, int64_t to) {
  std::vector<Span> spans;
  const auto scale = static_cast<double>(from) / static_cast<double>(to);
  for (int64_t i = 0; i < to; ++i) {
    const auto centre = (static_cast<double>(i) + 0.5) * scale, support = 0.5 * scale;
    const auto first = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0), end = std::min(static_cast<int64_t>(centre + support + 0.5), from);
    std::vector<double> weights;
    double sum = 0;
    for (auto k = first; k < end; ++k) {
      const auto place = (static_cast<double>(k) - centre + 0.5) / scale;
      weights.push_back(place > -0.5 && place <= 0.5 ? 1 : 0);
      sum += weights.back();
    }
    Span span{first, {}};
    for (const auto weight : weights) span.weights.push_back(static_cast<int>(0.5 + weight / sum * (1 << kFractionBits)));
    spans.push_back(std::move(span));
  }
  return spans;
}

// Rows by columns by 3; the columns are reduced.
std::vector<uint8_t> reduced(const std::vector<uint8_t>& in, int64_t rows, int64_t columns, const std::vector<Span>& spans) {
  std::vector<uint8_t> out(static_cast<size_t>(rows) * spans.size() * 3);
  auto* to = out.data();
  for (int64_t y = 0; y < rows; ++y) {
    for (const auto& span : spans) {
      std::array<int, 3> sums;
      sums.fill(1 << (kFractionBits - 1));
      const auto* from = in.data() + (y * columns + span.first) * 3;
      for (const auto weight : span.weights) {
        for (auto& sum : sums) sum += weight * *from++;
      }
      for (const auto sum : sums) *to++ = static_cast<uint8_t>(sum >> kFractionBits);
    }
  }
  return out;
}

std::vector<uint8_t> transposed(const std::vector<uint8_t>& in, int64_t rows, int64_t columns) {
  std::vector<uint8_t> out(in.size());
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < columns; ++x) std::copy_n(in.data() + (y * columns + x) * 3, 3, out.data() + (x * rows + y) * 3);
  }
  return out;
}

}  // namespace

void pixelate(Picture& picture, const Setting& setting, Draws&) {
  const auto side = picture.height, fewer = static_cast<int64_t>(static_cast<double>(side) * setting.of(kSides));
  const auto spans = box(side, fewer);
  const auto narrow = transposed(reduced(picture.pixels, side, side, spans), side, fewer);  // [fewer, side, 3]
  const auto small = transposed(reduced(narrow, fewer, side, spans), fewer, fewer);
  const auto nearest = [&](int64_t place) { return static_cast<int64_t>((static_cast<double>(place) + 0.5) * static_cast<double>(fewer) / static_cast<double>(side)); };
  std::vector<int64_t> columns(static_cast<size_t>(side));
  for (int64_t x = 0; x < side; ++x) columns[x] = nearest(x) * 3;
  auto* to = picture.pixels.data();
  for (int64_t y = 0; y < side; ++y) {
    const auto* row = small.data() + nearest(y) * fewer * 3;
    for (const auto column : columns) to = std::copy_n(row + column, 3, to);
  }
}

}  // namespace sparring::corruptions
