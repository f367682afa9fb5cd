#include "distill/online_adversary.h"

#include "distill/training_state.h"
#include "ops/autocast.h"
#include "ops/random.h"

namespace sparring {

at::Tensor online_adversary(Classifier& student, const at::Tensor& images, const at::Tensor& labels, const OnlineAdversaryOptions& options, bool autocast_bf16, uint64_t seed, uint64_t step) {
  const CounterRng rng(seed, Stream::online_adversary, step);
  std::vector<int64_t> seeds;
  for (int64_t i = 0; i < images.size(0); ++i) seeds.push_back(static_cast<int64_t>(rng.bits(static_cast<uint64_t>(i)) >> 11));

  BufferGuard statistics(student.module());  // restored: those of the step itself are kept
  const AttackedNetwork network = [&](const at::Tensor& pixels) {
    AutocastGuard autocast(student.device().type(), autocast_bf16);
    return student.forward(pixels);
  };
  const AttackTarget target{network, images, labels, seeds};
  if (!options.vqgan) return pgd(target, options.attack.search, {});
  return discrete_adversary(target, *options.vqgan, options.attack, autocast_bf16 ? at::kBFloat16 : at::kFloat, {}).images;
}

}  // namespace sparring
