#include "images/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>
#include <type_traits>
#include <vector>

#include "images/cubic.h"
#include "ops/cpu/simd.h"

namespace sparring::images {
namespace {

constexpr int kBits = 22;  // of a weight's fraction: what an int32 has beside 8 of a pixel, a sign and one for kernels that overshoot
constexpr int32_t kHalf = 1 << (kBits - 1);
constexpr int kChannels = 3;

double sinc(double x) { return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }

double value_at(Kernel kernel, double x) {
  x = std::abs(x);
  switch (kernel) {
    case Kernel::kBilinear: return x < 1 ? 1 - x : 0;
    case Kernel::kBicubic: return cubic(x);
    default: return x < 3 ? sinc(x) * sinc(x / 3) : 0;
  }
}

double support_of(Kernel kernel) { return kernel == Kernel::kBilinear ? 1 : kernel == Kernel::kBicubic ? 2 : 3; }

// What each new pixel is made of: `taps` old ones from first[i] on, all of them within the image, times weights[i * taps ...].
struct Weights {
  int64_t taps = 0;
  std::vector<int64_t> first;
  std::vector<int32_t> weights;
};

Weights weights_of(const Axis& axis, Kernel kernel) {
  const auto scale = static_cast<double>(axis.from) / static_cast<double>(axis.to);
  const auto width = std::max(scale, 1.0);
  const auto support = support_of(kernel) * width;
  Weights result;
  std::vector<std::vector<double>> exact(axis.count);
  for (int64_t i = 0; i < axis.count; ++i) {
    const auto centre = (static_cast<double>(axis.first + i) + 0.5) * scale;
    // Old pixels whose middles lie within the support.
    const auto begin = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0);
    const auto end = std::min(static_cast<int64_t>(centre + support + 0.5), axis.from);
    for (int64_t j = begin; j < end; ++j) exact[i].push_back(value_at(kernel, (static_cast<double>(j) - centre + 0.5) * (1 / width)));
    result.first.push_back(begin);
    result.taps = std::max(result.taps, end - begin);
  }
  result.weights.resize(axis.count * result.taps);
  for (int64_t i = 0; i < axis.count; ++i) {
    const auto sum = std::accumulate(exact[i].begin(), exact[i].end(), 0.0);
    const auto unused = std::max<int64_t>(result.first[i] + result.taps - axis.from, 0);  // that would lie beyond the image
    result.first[i] -= unused;
    std::transform(exact[i].begin(), exact[i].end(), result.weights.begin() + i * result.taps + unused, [&](double weight) { return static_cast<int32_t>(std::round(weight / sum * (1 << kBits))); });
  }
  return result;
}

// Calls work(at, count) for stretches of a length. As many pixels at a time as this, which the compiler knows, are vectorised.
constexpr int64_t kBlock = 32;
template <typename Work>
SPARRING_INLINE void in_blocks(int64_t length, Work work) {
  int64_t at = 0;
  for (; at + kBlock <= length; at += kBlock) work(at, std::integral_constant<int64_t, kBlock>{});
  if (at < length) work(at, length - at);
}

SPARRING_INLINE void to_words(const uint8_t* __restrict__ bytes, int64_t count, int32_t* __restrict__ words) {
  for (int64_t j = 0; j < count; ++j) words[j] = bytes[j];
}

SPARRING_INLINE void to_bytes(const int32_t* __restrict__ sums, int64_t count, uint8_t* __restrict__ bytes) {
  for (int64_t j = 0; j < count; ++j) bytes[j] = static_cast<uint8_t>(std::clamp(sums[j] >> kBits, 0, 255));
}

// A part of an image: rows that are `stride` bytes apart.
struct View {
  const uint8_t* pixels;
  int64_t rows, width, stride;
};

// in -> out: [in.rows, weights.first.size(), 3]
SPARRING_SIMD void resample_across(const View& in, const Weights& weights, uint8_t* out) {
  using Pixel = int32_t __attribute__((vector_size(16)));  // red, green, blue and the next one's red, which comes to nothing
  const auto count = static_cast<int64_t>(weights.first.size());
  std::vector<int32_t> line(in.width * kChannels + 1), sums(count * kChannels + 1);  // the last pixel has a next one as well
  for (int64_t y = 0; y < in.rows; ++y) {
    const auto* from = in.pixels + y * in.stride;
    auto* to = out + y * count * kChannels;
    in_blocks(in.width * kChannels, [&](int64_t at, auto length) __attribute__((always_inline)) { to_words(from + at, length, line.data() + at); });
    for (int64_t i = 0; i < count; ++i) {
      const auto* pixels = line.data() + weights.first[i] * kChannels;
      const auto* weight = weights.weights.data() + i * weights.taps;
      Pixel sum = {kHalf, kHalf, kHalf, kHalf};
      for (int64_t k = 0; k < weights.taps; ++k) {
        Pixel pixel;
        std::memcpy(&pixel, pixels + k * kChannels, sizeof(pixel));
        sum += pixel * weight[k];
      }
      std::memcpy(sums.data() + i * kChannels, &sum, sizeof(sum));
    }
    in_blocks(count * kChannels, [&](int64_t at, auto length) __attribute__((always_inline)) { to_bytes(sums.data() + at, length, to + at); });
  }
}

// in -> out: [weights.first.size(), in.width, 3]
SPARRING_SIMD void resample_down(const View& in, const Weights& weights, uint8_t* out) {
  const auto bytes = in.width * kChannels;
  for (size_t i = 0; i < weights.first.size(); ++i) {
    const auto* rows = in.pixels + weights.first[i] * in.stride;
    const auto* weight = weights.weights.data() + i * weights.taps;
    in_blocks(bytes, [&](int64_t at, auto length) __attribute__((always_inline)) {
      int32_t sums[kBlock];
      std::fill_n(sums, kBlock, kHalf);
      for (int64_t k = 0; k < weights.taps; ++k)
        for (int64_t j = 0; j < length; ++j) sums[j] += weight[k] * rows[k * in.stride + at + j];
      to_bytes(sums, length, out + i * bytes + at);
    });
  }
}

// Pillow rounds to 8 bits in between, so that the order counts; this is the order of Pillow 13.
bool is_down_first(const Axis& down, const Axis& across) { return down.from > down.to && down.from - down.to > 2 * (across.from - across.to); }

}  // namespace

std::optional<Kernel> kernel_named(const std::string& name) {
  if (name == "bilinear") return Kernel::kBilinear;
  if (name == "bicubic") return Kernel::kBicubic;
  if (name == "lanczos") return Kernel::kLanczos;
  return std::nullopt;
}

void resample(const uint8_t* in, const Axis& down, const Axis& across, Kernel kernel, uint8_t* out) {
  auto vertical = weights_of(down, kernel);
  const auto horizontal = weights_of(across, kernel);
  // No more than the rows that the result is made of.
  const auto first_row = vertical.first.front(), rows = vertical.first.back() + vertical.taps - first_row;
  for (auto& first : vertical.first) first -= first_row;
  const View view{in + ((down.start + first_row) * across.length + across.start) * kChannels, rows, across.from, across.length * kChannels};
  if (is_down_first(down, across)) {
    std::vector<uint8_t> lower(down.count * across.from * kChannels);
    resample_down(view, vertical, lower.data());
    resample_across({lower.data(), down.count, across.from, across.from * kChannels}, horizontal, out);
  } else {
    std::vector<uint8_t> narrower(rows * across.count * kChannels);
    resample_across(view, horizontal, narrower.data());
    resample_down({narrower.data(), rows, across.count, across.count * kChannels}, vertical, out);
  }
}

}  // namespace sparring::images
