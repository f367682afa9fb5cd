// Modules below plain containers, for references whose key names have levels that hold nothing but a name.
#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

namespace sparring {

// Registers `module` at a path such as {"downsamplers", "0", "conv"}; containers that are missing are made.
template <typename Holder>
Holder register_nested(torch::nn::Module& parent, const std::vector<std::string>& path, Holder module) {
  auto* at = &parent;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    const auto children = at->named_children();
    const auto* existing = children.find(path[i]);
    at = existing ? existing->get() : at->register_module(path[i], std::make_shared<torch::nn::Module>(path[i])).get();
  }
  return at->register_module(path.back(), module);
}

}  // namespace sparring
