// Counter-based random numbers: a value depends on (seed, stream, index) alone, never on batch size,
// device, thread count or what was drawn before. That is what makes a generated image independent of
// the batch it was made in, and a resumed run equal to an uninterrupted one.
#pragma once

#include <cstdint>

#include <torch/torch.h>

namespace sparring {

// One stream per purpose, so that adding draws to one never shifts another.
enum class Stream : uint64_t {
  initial_noise = 1,
  augmentation = 2,
  timesteps = 3,
  training_noise = 4,
  label_dropout = 5,
  sampling_noise = 6,
  posterior = 7,
  mixing = 8,
  perturbation = 9,
  attack_start = 10,
  online_adversary = 11,
  view_policy = 16,
  fractal = 17,
  cutouts = 18,
  cutout_noise = 19,
  corruption = 24,
  code_restarts = 32,
};

// SplitMix64's finaliser (Steele, Lea & Flood 2014): a bijection with full avalanche.
constexpr uint64_t mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

class CounterRng {
 public:
  CounterRng(uint64_t seed, Stream stream, uint64_t step = 0)
      : key_(mix64(mix64(mix64(seed + kGolden) + static_cast<uint64_t>(stream) * kGolden) + step * kGolden)) {}

  uint64_t bits(uint64_t index) const { return mix64(key_ + (index + 1) * kGolden); }
  // Uniform in [0, 1) with 53 random bits.
  double uniform(uint64_t index) const { return static_cast<double>(bits(index) >> 11) * 0x1p-53; }
  double uniform(uint64_t index, double low, double high) const { return low + (high - low) * uniform(index); }

 private:
  static constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ULL;
  uint64_t key_;
};

// Standard normal noise of shape [seeds.size(), sample_shape...] (fp32, CPU); row i depends on seeds[i] only.
at::Tensor seeded_normal(at::ArrayRef<int64_t> seeds, at::IntArrayRef sample_shape, Stream stream, uint64_t step = 0);

}  // namespace sparring
