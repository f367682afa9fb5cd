#include "attack/perturbation.h"

#include <cmath>

#include "ops/random.h"

namespace sparring {
namespace {

// Of each image, to be multiplied with one: [B] -> [B, 1, 1, 1]
at::Tensor per_image(const at::Tensor& values) { return values.view({-1, 1, 1, 1}); }

at::Tensor largest(const at::Tensor& images) { return images.abs().amax(at::IntArrayRef{1, 2, 3}); }

// Uniform in -1..1, [seeds.size(), 3, H, W]; row i depends on seeds[i] only.
at::Tensor seeded_uniform(at::ArrayRef<int64_t> seeds, at::IntArrayRef shape) {
  auto values = at::empty(shape, at::kFloat);
  const auto each = values.numel() / shape[0];
  auto* data = values.data_ptr<float>();
  for (size_t i = 0; i < seeds.size(); ++i) {
    const CounterRng rng(static_cast<uint64_t>(seeds[i]), Stream::attack_start, /*step=*/0);
    for (int64_t j = 0; j < each; ++j) *data++ = static_cast<float>(rng.uniform(j, -1, 1));
  }
  return values;
}

// Changes of length 1 or, for linf, up to 1.
at::Tensor unit_changes(const at::Tensor& centre, Norm norm, at::ArrayRef<int64_t> seeds) {
  if (norm == Norm::linf) return seeded_uniform(seeds, centre.sizes());
  return steepest(seeded_normal(seeds, centre.sizes().slice(1), Stream::attack_start, /*step=*/0), norm);
}

// Whether each image starts at random, as 0 or 1, [B].
at::Tensor seeded_choice(at::ArrayRef<int64_t> seeds, double probability) {
  auto chosen = at::empty({static_cast<int64_t>(seeds.size())}, at::kFloat);
  auto* data = chosen.data_ptr<float>();
  for (const auto seed : seeds) *data++ = CounterRng(static_cast<uint64_t>(seed), Stream::attack_start, /*step=*/1).uniform(0) < probability;
  return chosen;
}

}  // namespace

double length_at_size(Norm norm, double length, const at::Tensor& images) {
  if (norm == Norm::linf) return length;
  return length * std::sqrt(static_cast<double>(images.size(2) * images.size(3))) / 224;
}

at::Tensor lengths(const at::Tensor& change, Norm norm) {
  return norm == Norm::linf ? largest(change) : change.square().sum(at::IntArrayRef{1, 2, 3}).sqrt();
}

at::Tensor steepest(const at::Tensor& gradient, Norm norm) {
  if (norm == Norm::linf) return gradient.sign();
  // Gradients of confident classifiers are so small that their squares are zero in fp32: the largest value becomes 1 first.
  const auto scaled = gradient / per_image(largest(gradient).clamp_min(1e-37));
  return scaled / per_image(lengths(scaled, norm).clamp_min(1e-20));
}

at::Tensor project(const at::Tensor& images, const at::Tensor& centre, const Ball& ball) {
  auto change = images - centre;
  if (ball.norm == Norm::linf) change = change.clamp(-ball.epsilon, ball.epsilon);
  else change = change * per_image((ball.epsilon / lengths(change, ball.norm).clamp_min(1e-20)).clamp_max(1));
  return (centre + change).clamp(0, 1);
}

at::Tensor random_start(const at::Tensor& centre, const Ball& ball, double probability, at::ArrayRef<int64_t> seeds) {
  if (probability <= 0) return centre;
  const auto change = unit_changes(centre, ball.norm, seeds) * per_image(seeded_choice(seeds, probability)) * ball.epsilon;
  return (centre + change.to(centre.device())).clamp(0, 1);
}

}  // namespace sparring
