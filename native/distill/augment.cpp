#include "distill/augment.h"

#include <algorithm>

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
};

View draw_view(const AugmentOptions& options, const CounterRng& rng, uint64_t image) {
  const auto base = image * kDrawsPerImage;
  const auto shift = [&](int draw) {
    return static_cast<int64_t>(rng.uniform(base + draw) * static_cast<double>(2 * options.crop_padding + 1)) - options.crop_padding;
  };
  const auto factor = [&](int draw, double range) { return static_cast<float>(rng.uniform(base + draw, 1 - range, 1 + range)); };
  return {options.flip && rng.uniform(base) < 0.5, shift(1), shift(2), factor(3, options.brightness),
          factor(4, options.contrast), factor(5, options.saturation)};
}

int64_t reflect(int64_t i, int64_t size) {
  if (i < 0) i = -i;
  if (i >= size) i = 2 * (size - 1) - i;
  return std::clamp<int64_t>(i, 0, size - 1);
}

void render(const uint8_t* in, float* out, int64_t height, int64_t width, const View& view) {
  double grey_sum = 0;
  for (int64_t y = 0; y < height; ++y) {
    const auto source_y = reflect(y + view.shift_y, height);
    for (int64_t x = 0; x < width; ++x) {
      const auto source_x = reflect((view.flip ? width - 1 - x : x) + view.shift_x, width);
      const auto* pixel = in + (source_y * width + source_x) * 3;
      auto* target = out + (y * width + x) * 3;
      for (int c = 0; c < 3; ++c) target[c] = std::min(static_cast<float>(pixel[c]) * view.brightness / 255, 1.0f);
      grey_sum += kRed * target[0] + kGreen * target[1] + kBlue * target[2];
    }
  }
  if (view.contrast == 1 && view.saturation == 1) return;
  const auto mean_grey = static_cast<float>(grey_sum / static_cast<double>(height * width));
  for (int64_t i = 0; i < height * width; ++i) {
    auto* pixel = out + i * 3;
    for (int c = 0; c < 3; ++c) pixel[c] = std::clamp(mean_grey + (pixel[c] - mean_grey) * view.contrast, 0.0f, 1.0f);
    const auto grey = kRed * pixel[0] + kGreen * pixel[1] + kBlue * pixel[2];
    for (int c = 0; c < 3; ++c) pixel[c] = std::clamp(grey + (pixel[c] - grey) * view.saturation, 0.0f, 1.0f);
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
