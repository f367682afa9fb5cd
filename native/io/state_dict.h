// A module's weights by name, as PyTorch's state_dict names them: "layer1.0.bn1.running_mean".
#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

#include "io/grid_weight.h"
#include "io/key_names.h"
#include "io/safetensors.h"

namespace sparring {

// All parameters and buffers, detached, sharing memory with the module; parameters first, each in registration order.
NamedTensors state_dict(const torch::nn::Module& module);

// Copies the file's tensors into the module's parameters and buffers, converting floating-point types and devices. All or
// nothing: every missing, unexpected and misshapen name is listed in one Error "weights" before anything is changed.
// `key_names` says how the file calls them; those names are listed.
// Tensors below the modules `optional` ("fc", "head") may be missing or of another shape in the file; if one is, all of them
// stay as they are. `num_batches_tracked` may be missing, since files older than PyTorch 0.4.1 have none and nothing is computed
// from it with a fixed momentum. Those of `grids` may be made for another size of the input.
void load_into(torch::nn::Module& module, const SafetensorsFile& file, const std::vector<std::string>& optional = {},
               const KeyNames& key_names = {}, const std::vector<GridWeight>& grids = {});

}  // namespace sparring
