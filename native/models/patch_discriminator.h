// PatchGAN (Isola et al. 2016, arXiv 1611.07004): a convolutional network that says of each part of an image whether it is real.
// As VQGAN has it (arXiv 2012.09841), with the key names of taming-transformers.
#pragma once

#include <torch/torch.h>

namespace sparring {

struct PatchDiscriminatorOptions {
  TORCH_ARG(int64_t, width) = 32;  // channels of the first convolution, doubled at each next one, at most 8 times
  TORCH_ARG(int64_t, layers) = 2;  // convolutions of stride 2: a part has 34 pixels with 2, 70 with 3
};

// It is only ever trained, so its batch norms have the statistics of the batch alone.
struct PatchDiscriminatorImpl : torch::nn::Module {
  // Weights as in DCGAN: normal with deviation 0.02.
  explicit PatchDiscriminatorImpl(const PatchDiscriminatorOptions& options = {});
  // images: [B, 3, H, W] in -1..1 -> [B, 1, h, w] fp32, high for what seems real; h = H / 2^layers - 2
  at::Tensor forward(const at::Tensor& images);
  // Least side of an image for which there is an output.
  int64_t least_side() const { return int64_t{3} << options.layers(); }

  PatchDiscriminatorOptions options;
  torch::nn::Sequential main{nullptr};
};
TORCH_MODULE(PatchDiscriminator);

}  // namespace sparring
