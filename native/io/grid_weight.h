// Weights with one entry for each position of a square grid, such as position embeddings: they are made for one size of
// the input and resampled to another.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace sparring {

struct GridWeight {
  std::string name;       // or its end: "attention_biases" of every layer
  int64_t dimension = 0;  // along which the positions lie, row by row
  int64_t prefix = 0;     // entries before them, which stay as they are

  // The shape of a tensor of `count` numbers that differs from `ours` in the side of its grid alone; nothing if there is none.
  std::optional<std::vector<int64_t>> other_sizes(at::IntArrayRef ours, int64_t count) const;
  // `tensor`, of such a shape, to the grid of `ours`: bicubic with antialias, as timm does it.
  at::Tensor resample(const at::Tensor& tensor, at::IntArrayRef ours) const;
};

}  // namespace sparring
