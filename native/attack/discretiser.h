// Q of discrete adversarial training (Mao et al. 2022, arXiv 2209.07735): what the codes of a VQGAN say of an image.
#pragma once

#include "models/autoencoder.h"

namespace sparring {

// images: [B, 3, H, W] fp32 in 0..1 -> the same through encoder, nearest codes and decoder of the frozen VQGAN, clamped to 0..1.
// No gradient goes through it.
at::Tensor discretise(Autoencoder& vqgan, const at::Tensor& images, at::ScalarType dtype);

}  // namespace sparring
