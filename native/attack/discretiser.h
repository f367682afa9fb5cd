// Q of discrete adversarial training (Mao et al. 2022, arXiv 2209.07735): what a VQGAN's codes, or a diffusion model, say of an image.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "job.h"
#include "models/autoencoder.h"

namespace sparring {

// Q. images: [B, 3, H, W] fp32 in 0..1; seeds: [B], of what is drawn for each, if anything -> the same images as Q has them, in 0..1.
// No gradient goes through it, an image depends on its seed and no other image, and one seed makes it a function of the image.
using Discretiser = std::function<at::Tensor(const at::Tensor& images, const std::vector<int64_t>& seeds, const JobContext& job)>;

// Encoder, nearest codes and decoder of a frozen VQGAN, clamped.
Discretiser vqgan_discretiser(std::shared_ptr<Autoencoder> vqgan, at::ScalarType dtype);

}  // namespace sparring
