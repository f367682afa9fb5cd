#include "ops/random.h"

#include <cmath>

#include <ATen/Parallel.h>

namespace sparring {
namespace {

// Box-Muller: two uniforms give two independent normals.
void fill_normal(float* out, int64_t count, const CounterRng& rng) {
  for (int64_t i = 0; i < count; i += 2) {
    const auto radius = std::sqrt(-2.0f * std::log(static_cast<float>(1.0 - rng.uniform(i))));
    const auto angle = static_cast<float>(2.0 * M_PI * rng.uniform(i + 1));
    out[i] = radius * std::cos(angle);
    if (i + 1 < count) out[i + 1] = radius * std::sin(angle);
  }
}

}  // namespace

at::Tensor seeded_normal(at::ArrayRef<int64_t> seeds, at::IntArrayRef sample_shape, Stream stream, uint64_t step) {
  std::vector<int64_t> shape{static_cast<int64_t>(seeds.size())};
  shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
  auto noise = at::empty(shape, at::kFloat);  // [B, ...]
  const auto per_sample = c10::multiply_integers(sample_shape);
  auto* data = noise.data_ptr<float>();
  at::parallel_for(0, shape[0], 1, [&](int64_t begin, int64_t end) {
    for (auto i = begin; i < end; ++i) {
      fill_normal(data + i * per_sample, per_sample, CounterRng(static_cast<uint64_t>(seeds[i]), stream, step));
    }
  });
  return noise;
}

}  // namespace sparring
