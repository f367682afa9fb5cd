// Files of other projects hold the same weights under other names. What becomes of those is data: a table.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "io/safetensors.h"

namespace sparring {

struct KeyNames {
  std::string section;               // in a file that has names with this beginning only those count, without it
  std::vector<std::string> ignored;  // beginnings of names that are no weights of the model
  std::vector<std::pair<std::string, std::string>> renamed;  // a part of a name, and what stands for it; in this order
  std::vector<std::string> linear;   // parts of new names: a 1x1 convolution's weight [O, I, 1, 1] there is a linear layer's
};

// The file with its tensors under the model's names; a name that the table does not know stays as it is, so a file that
// has the model's own names is not changed. Throws Error "weights" when two names become the same.
SafetensorsFile with_names(SafetensorsFile file, const KeyNames& names);

}  // namespace sparring
