// Weights on disk as users have them: one safetensors file, the shards that a `*.safetensors.index.json` of huggingface
// lists, or a folder with either.
#pragma once

#include <string>

#include "io/safetensors.h"

namespace sparring {

// Reads `path` as one set of tensors, whichever of these it is. Of a folder that has an index, or else one safetensors file,
// that. Errors as of read_safetensors; those of shards name the shard. The shards must lie beside their index and hold
// exactly the tensors that it says. Metadata are those of all shards; where two differ, those of the first in name order.
SafetensorsFile read_weights(const std::string& path);

}  // namespace sparring
