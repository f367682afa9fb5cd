#include "attack/discretiser.h"

namespace sparring {

Discretiser vqgan_discretiser(std::shared_ptr<Autoencoder> vqgan, at::ScalarType dtype) {
  return [vqgan, dtype](const at::Tensor& images, const std::vector<int64_t>&, const JobContext&) {
    torch::NoGradGuard no_grad;
    const auto codes = vqgan->quantise(vqgan->encode(images.to(vqgan->device()) * 2 - 1, dtype)).latents;
    return ((vqgan->decode(codes, dtype) + 1) / 2).clamp(0, 1);
  };
}

}  // namespace sparring
