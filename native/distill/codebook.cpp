#include "distill/codebook.h"

#include "ops/random.h"

namespace sparring {

CodebookLosses codebook_losses(const VQGANImpl& vqgan, const at::Tensor& latents, const at::Tensor& indices) {
  const auto nearest = at::embedding(vqgan.embedding->weight, indices).permute({0, 3, 1, 2});  // [B, C, h, w]
  return {at::mse_loss(nearest, latents.detach()), at::mse_loss(latents, nearest.detach())};
}

DeadCodes::DeadCodes(int64_t num_codes, at::Device device)
    : unused_steps_(at::full({num_codes}, kPatience - 1, at::TensorOptions(at::kLong).device(device))) {}

void DeadCodes::restart(const at::Tensor& latents, const at::Tensor& indices, const at::Tensor& codebook, const at::Tensor& average, uint64_t seed, uint64_t step) {
  const torch::NoGradGuard no_grad;
  unused_steps_ += 1;
  unused_steps_.index_fill_(0, indices.flatten(), 0);
  const auto dead = (unused_steps_ >= kPatience).nonzero().flatten();  // [D]
  const auto count = dead.size(0);
  if (count == 0) return;
  const auto vectors = latents.detach().permute({0, 2, 3, 1}).reshape({-1, latents.size(1)});  // [B*h*w, C]
  const CounterRng random(seed, Stream::code_restarts, step);
  auto chosen = at::empty({count}, at::kLong);
  for (int64_t i = 0; i < count; ++i) chosen[i] = static_cast<int64_t>(random.bits(i) % static_cast<uint64_t>(vectors.size(0)));
  const auto places = vectors.index_select(0, chosen.to(vectors.device()));  // [D, C]
  codebook.index_copy_(0, dead, places);
  if (average.defined()) average.index_copy_(0, dead, places);
  unused_steps_.index_fill_(0, dead, 0);
}

}  // namespace sparring
