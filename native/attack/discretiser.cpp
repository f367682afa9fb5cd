#include "attack/discretiser.h"

namespace sparring {

at::Tensor discretise(Autoencoder& vqgan, const at::Tensor& images, at::ScalarType dtype) {
  torch::NoGradGuard no_grad;
  const auto codes = vqgan.quantise(vqgan.encode(images * 2 - 1, dtype)).latents;
  return ((vqgan.decode(codes, dtype) + 1) / 2).clamp(0, 1);
}

}  // namespace sparring
