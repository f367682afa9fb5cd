#include "distill/online_adversary.h"

#include "distill/training_state.h"
#include "ops/autocast.h"
#include "ops/random.h"

namespace sparring {
namespace {

at::ScalarType dtype_of(const OnlineBatch& batch) { return batch.autocast_bf16 ? at::kBFloat16 : at::kFloat; }

at::Tensor attacked(const AttackedNetwork& network, const OnlineBatch& batch, const OnlineAdversaryOptions& options, const JobContext& job) {
  const CounterRng rng(batch.seed, Stream::online_adversary, batch.step);
  std::vector<int64_t> seeds;
  for (int64_t i = 0; i < batch.images.size(0); ++i) seeds.push_back(static_cast<int64_t>(rng.bits(static_cast<uint64_t>(i)) >> 11));
  const AttackTarget target{network, batch.images, batch.labels, seeds};
  if (!options.discretiser) return pgd(target, options.attack.search, job);
  return discrete_adversary(target, options.discretiser, options.attack, job).images;
}

}  // namespace

at::Tensor online_adversary(Classifier& student, const OnlineBatch& batch, const OnlineAdversaryOptions& options, const JobContext& job) {
  BufferGuard statistics(student.module());  // restored: those of the step itself are kept
  const AttackedNetwork network = [&](const at::Tensor& pixels) {
    AutocastGuard autocast(student.device().type(), batch.autocast_bf16);
    return student.forward(pixels);
  };
  return attacked(network, batch, options, job);
}

Counterparts online_counterparts(Classifier& teacher, const OnlineBatch& batch, const OnlineAdversaryOptions& options, const JobContext& job) {
  torch::NoGradGuard no_grad;
  const auto network = frozen_network(teacher, dtype_of(batch));
  const auto images = attacked(network, batch, options, job);  // [B, 3, H, W]
  const auto logits = network(images);                         // [B, K]
  const auto classes = batch.labels.dim() == 2 ? batch.labels.argmax(1) : batch.labels;
  const auto places = logits.argmax(1).eq(classes).nonzero().squeeze(1);  // [C]
  return {images.index_select(0, places), logits.index_select(0, places), places};
}

}  // namespace sparring
