// The losses of a discriminator and of what it judges.
#pragma once

#include <torch/torch.h>

namespace sparring {

// Hinge loss of a discriminator (Lim & Ye 2017, arXiv 1705.02894): half the sum for real and for made images. Both: [B, 1, h, w]
inline at::Tensor hinge_loss(const at::Tensor& real, const at::Tensor& made) {
  return (at::relu(1 - real).mean() + at::relu(1 + made).mean()) / 2;
}

// The weight that makes the adversarial gradient at the decoder's last layer as long as that of the reconstruction (arXiv
// 2012.09841, eq. 7), with the constants of the authors' code.
inline at::Tensor adaptive_weight(const at::Tensor& reconstruction_gradient, const at::Tensor& adversarial_gradient) {
  return (reconstruction_gradient.norm() / (adversarial_gradient.norm() + 1e-4)).clamp(0, 1e4);
}

}  // namespace sparring
