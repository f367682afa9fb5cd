// Tables that say under which names, and in which layout, the weights of another project hold our tensors. The tables
// themselves are data of lib/ (lib/clip/key-names.ts, lib/config/autoencoder-keys.ts).
#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

namespace sparring {

enum class Layout {
  same,
  transposed,   // [in, out] for our [out, in]
  squeezed,     // without our leading dimensions of size 1
  convolution,  // of size 1x1, [out, in, 1, 1] for our [out, in]
};

// In names `*` stands for one part between dots: "blocks.*.norm1.*" is "encoder.layers.*.layer_norm1.*". Several names
// are parts of our tensor one after the other along its first dimension.
struct KeyRule {
  std::string ours;
  std::vector<std::string> theirs;
  Layout layout = Layout::same;
};

struct KeyNames {
  std::vector<KeyRule> rules;        // a name without a rule is the same in both
  std::vector<std::string> ignored;  // beginnings of names that are no part of the network
  std::string section;               // beginning of the names in the file of a larger network, of which nothing else counts
};

// Where a file holds one of our tensors.
struct KeySource {
  std::vector<std::string> names;
  Layout layout = Layout::same;

  // Shape of each of the parts for our tensor of shape `sizes`.
  std::vector<int64_t> part_sizes(at::IntArrayRef sizes) const;
  // Our tensor of shape `sizes`, from parts of those shapes.
  at::Tensor assemble(const std::vector<at::Tensor>& parts, at::IntArrayRef sizes) const;
};

KeySource source_of(const KeyNames& names, const std::string& ours);
bool is_ignored(const KeyNames& names, const std::string& theirs);

}  // namespace sparring
