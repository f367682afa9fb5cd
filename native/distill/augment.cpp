#include "distill/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include <ATen/Parallel.h>

#include "ops/random.h"

namespace sparring {
namespace {

constexpr int kDrawsPerImage = 8;
constexpr float kRed = 0.299f, kGreen = 0.587f, kBlue = 0.114f;  // ITU-R BT.601 luma

struct View {
  bool flip;
  int64_t shift_x, shift_y;
  float brightness, contrast, saturation;
  double zoom, hue;
};

View draw_view(const AugmentOptions& options, const CounterRng& rng, uint64_t image) {
  const auto base = image * kDrawsPerImage;
  const auto shift = [&](int draw) {
    return static_cast<int64_t>(rng.uniform(base + draw) * static_cast<double>(2 * options.crop_padding + 1)) - options.crop_padding;
  };
  const auto factor = [&](int draw, double range) { return static_cast<float>(rng.uniform(base + draw, 1 - range, 1 + range)); };
  return {options.flip && rng.uniform(base) < 0.5, shift(1), shift(2), factor(3, options.brightness),
          factor(4, options.contrast), factor(5, options.saturation),
          std::pow(1 + options.zoom, rng.uniform(base + 6, -1, 1)), rng.uniform(base + 7, -options.hue, options.hue)};
}

int64_t reflect(int64_t i, int64_t size) {
  if (size == 1) return 0;
  const auto period = 2 * (size - 1);
  i = std::abs(i) % period;
  return i < size ? i : period - i;
}

// A source row or column between two pixels: the lower one, the upper one and the weight of the upper one.
struct Position {
  int64_t low, high;
  float weight;
};

Position position(double source, int64_t size) {
  const auto low = static_cast<int64_t>(std::floor(source));
  return {reflect(low, size), reflect(low + 1, size), static_cast<float>(source - static_cast<double>(low))};
}

// Turns chroma by an angle around the grey axis, luma unchanged: the rotation of (I, Q) in YIQ. [3, 3], rows by output.
std::array<float, 9> hue_rotation(double turns) {
  const auto cosine = std::cos(2 * std::numbers::pi * turns), sine = std::sin(2 * std::numbers::pi * turns);
  constexpr double to_yiq[3][3] = {{0.299, 0.587, 0.114}, {0.596, -0.274, -0.322}, {0.211, -0.523, 0.312}};
  constexpr double to_rgb[3][2] = {{0.956, 0.621}, {-0.272, -0.647}, {-1.106, 1.703}};  // of I and Q; of Y it is 1
  std::array<float, 9> result;
  for (int row = 0; row < 3; ++row) {
    const auto of_i = to_rgb[row][0] * cosine + to_rgb[row][1] * sine, of_q = to_rgb[row][1] * cosine - to_rgb[row][0] * sine;
    for (int column = 0; column < 3; ++column) {
      result[row * 3 + column] = static_cast<float>(to_yiq[0][column] + of_i * to_yiq[1][column] + of_q * to_yiq[2][column]);
    }
  }
  return result;
}

// Lines of the source, resampled along the width; the two that a line of the view lies between are kept.
class ResampledLines {
 public:
  ResampledLines(const uint8_t* in, std::vector<Position> columns) : in_(in), columns_(std::move(columns)) {
    for (auto& kept : kept_) kept.values.resize(columns_.size() * 3);
  }

  // [width, 3] in 0..255. Holds until another two are asked for.
  const float* operator[](int64_t line) {
    newest_ = kept_[newest_].line == line ? newest_ : 1 - newest_;
    auto& kept = kept_[newest_];
    if (kept.line == line) return kept.values.data();
    kept.line = line;
    const auto* pixels = in_ + line * static_cast<int64_t>(columns_.size()) * 3;
    auto* target = kept.values.data();
    for (const auto& column : columns_) {
      const auto *low = pixels + column.low * 3, *high = pixels + column.high * 3;
      for (int c = 0; c < 3; ++c) *target++ = static_cast<float>(low[c]) * (1 - column.weight) + static_cast<float>(high[c]) * column.weight;
    }
    return kept.values.data();
  }

 private:
  struct Kept {
    int64_t line = -1;
    std::vector<float> values;
  };
  const uint8_t* in_;
  std::vector<Position> columns_;
  std::array<Kept, 2> kept_;
  size_t newest_ = 0;  // the line that was asked for last
};

void render(const uint8_t* in, float* out, int64_t height, int64_t width, const View& view) {
  const auto source = [&](int64_t at, int64_t size) {
    const auto centre = static_cast<double>(size - 1) / 2;
    return (static_cast<double>(at) - centre) / view.zoom + centre;
  };
  std::vector<Position> columns;
  for (int64_t x = 0; x < width; ++x) {
    columns.push_back(position(source(view.flip ? width - 1 - x : x, width) + static_cast<double>(view.shift_x), width));
  }
  ResampledLines lines(in, std::move(columns));
  for (int64_t y = 0; y < height; ++y) {
    const auto row = position(source(y, height) + static_cast<double>(view.shift_y), height);
    const auto* low = lines[row.low];
    const auto* high = row.weight == 0 ? low : lines[row.high];
    auto* target = out + y * width * 3;
#pragma omp simd
    for (int64_t i = 0; i < width * 3; ++i) {
      const auto value = low[i] * (1 - row.weight) + high[i] * row.weight;
      target[i] = std::min(value * view.brightness / 255, 1.0f);
    }
  }
  if (view.contrast == 1 && view.saturation == 1 && view.hue == 0) return;
  double grey_sum = 0;
  for (int64_t i = 0; i < height * width; ++i) grey_sum += kRed * out[i * 3] + kGreen * out[i * 3 + 1] + kBlue * out[i * 3 + 2];
  const auto mean_grey = static_cast<float>(grey_sum / static_cast<double>(height * width));
  const auto turned = hue_rotation(view.hue);
  for (int64_t i = 0; i < height * width; ++i) {
    auto* pixel = out + i * 3;
    for (int c = 0; c < 3; ++c) pixel[c] = std::clamp(mean_grey + (pixel[c] - mean_grey) * view.contrast, 0.0f, 1.0f);
    const auto grey = kRed * pixel[0] + kGreen * pixel[1] + kBlue * pixel[2];
    for (int c = 0; c < 3; ++c) pixel[c] = std::clamp(grey + (pixel[c] - grey) * view.saturation, 0.0f, 1.0f);
    if (view.hue == 0) continue;
    const std::array<float, 3> before{pixel[0], pixel[1], pixel[2]};
    for (int c = 0; c < 3; ++c) pixel[c] = std::clamp(turned[c * 3] * before[0] + turned[c * 3 + 1] * before[1] + turned[c * 3 + 2] * before[2], 0.0f, 1.0f);
  }
}

}  // namespace

at::Tensor augment(const at::Tensor& images, const AugmentOptions& options, uint64_t seed, uint64_t step) {
  const auto batch = images.size(0), height = images.size(1), width = images.size(2);
  auto out = at::empty({batch, height, width, 3}, at::kFloat);
  const CounterRng rng(seed, Stream::augmentation, step);
  const auto* in = images.const_data_ptr<uint8_t>();
  auto* target = out.data_ptr<float>();
  const auto pixels = height * width * 3;
  at::parallel_for(0, batch, 4, [&](int64_t begin, int64_t end) {
    for (auto i = begin; i < end; ++i) {
      render(in + i * pixels, target + i * pixels, height, width, draw_view(options, rng, static_cast<uint64_t>(i)));
    }
  });
  return out.permute({0, 3, 1, 2});  // [B, 3, H, W], a channels-last view
}

}  // namespace sparring
