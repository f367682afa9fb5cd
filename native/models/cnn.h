// A small plain convolutional network: the student of the embedded default.
//
//   stage i: 3x3 convolution (stride 1 in the first stage, 2 after) to width * 2^i channels, batch norm, ReLU
//   head:    global average pool, linear
#pragma once

#include <vector>

#include <torch/torch.h>

namespace sparring {

struct CnnOptions {
  TORCH_ARG(int64_t, num_classes) = 2;
  TORCH_ARG(int64_t, width) = 16;   // channels of the first stage
  TORCH_ARG(int64_t, stages) = 3;
};

struct CnnImpl : torch::nn::Module {
  explicit CnnImpl(const CnnOptions& options = {});
  // x: [B, 3, H, W] -> logits [B, num_classes]
  at::Tensor forward(at::Tensor x);
  // The output of each stage, [B, width * 2^i, H / 2^i, W / 2^i].
  std::vector<at::Tensor> feature_maps(at::Tensor x);

  CnnOptions options;
  torch::nn::Sequential features{nullptr};
  torch::nn::Linear fc{nullptr};
};
TORCH_MODULE(Cnn);

}  // namespace sparring
