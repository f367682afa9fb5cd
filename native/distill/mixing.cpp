#include "distill/mixing.h"

#include <algorithm>
#include <cmath>

#include "ops/random.h"

namespace sparring {
namespace {

constexpr uint64_t kDrawsPerImage = 4;

struct Range {
  int64_t begin, end;
};

// The extent of the rectangle in one direction: a fraction of `size` around a centre, both in 0..1, clipped to the image.
Range patch(double fraction, double centre, int64_t size) {
  const auto length = std::lround(fraction * static_cast<double>(size));
  const auto begin = static_cast<int64_t>(centre * static_cast<double>(size)) - length / 2;
  return {std::max<int64_t>(begin, 0), std::min<int64_t>(begin + length, size)};
}

}  // namespace

MixedViews mix(const at::Tensor& images, const MixingOptions& options, uint64_t seed, uint64_t step) {
  const auto batch = images.size(0), height = images.size(2), width = images.size(3);
  const auto sources = images.permute({0, 2, 3, 1}).contiguous();  // [B, H, W, 3], no copy for channels-last
  const auto mixed = sources.clone();
  MixedViews result{mixed.permute({0, 3, 1, 2}), at::arange(batch), at::ones({batch})};
  if (batch <= 1) return result;
  auto* partners = result.partner.data_ptr<int64_t>();
  auto* shares = result.share.data_ptr<float>();

  const CounterRng rng(seed, Stream::mixing, step);
  const auto distance = 1 + static_cast<int64_t>(rng.uniform(0) * static_cast<double>(batch - 1));
  const auto row = width * 3, pixels = height * row;
  for (int64_t i = 0; i < batch; ++i) {
    const auto base = 1 + static_cast<uint64_t>(i) * kDrawsPerImage;
    const auto kind = rng.uniform(base), share = rng.uniform(base + 1);
    if (kind >= options.cut_mix + options.mix_up) continue;
    partners[i] = (i + distance) % batch;
    const auto* other = sources.const_data_ptr<float>() + partners[i] * pixels;
    auto* view = mixed.data_ptr<float>() + i * pixels;
    if (kind < options.cut_mix) {
      const auto side = std::sqrt(1 - share);
      const auto rows = patch(side, rng.uniform(base + 2), height), columns = patch(side, rng.uniform(base + 3), width);
      for (auto y = rows.begin; y < rows.end; ++y) {
        std::copy(other + y * row + columns.begin * 3, other + y * row + columns.end * 3, view + y * row + columns.begin * 3);
      }
      shares[i] = 1 - static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin)) / static_cast<float>(height * width);
    } else {
      shares[i] = static_cast<float>(share);
      std::transform(view, view + pixels, other, view, [&](float own, float from) { return shares[i] * own + (1 - shares[i]) * from; });
    }
  }
  return result;
}

}  // namespace sparring
