#include "io/key_names.h"

#include <algorithm>
#include <map>

#include "error.h"

namespace sparring {
namespace {

std::string renamed(std::string name, const KeyNames& names) {
  for (const auto& [from, to] : names.renamed) {
    const auto at = name.find(from);
    if (at != std::string::npos) name.replace(at, from.size(), to);
  }
  return name;
}

bool starts_with_any(const std::string& name, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](const auto& beginning) { return name.starts_with(beginning); });
}

bool contains_any(const std::string& name, const std::vector<std::string>& parts) {
  return std::any_of(parts.begin(), parts.end(), [&](const auto& part) { return name.find(part) != std::string::npos; });
}

}  // namespace

SafetensorsFile with_names(SafetensorsFile file, const KeyNames& names) {
  const bool is_section = !names.section.empty() && std::any_of(file.tensors.begin(), file.tensors.end(), [&](const auto& item) {
    return item.first.starts_with(names.section);
  });
  std::map<std::string, std::string> origins;  // new name -> name in the file
  NamedTensors tensors;
  for (const auto& [original, tensor] : file.tensors) {
    if (is_section && !original.starts_with(names.section)) continue;
    const auto own = is_section ? original.substr(names.section.size()) : original;
    if (starts_with_any(own, names.ignored)) continue;
    const auto name = renamed(own, names);
    if (const auto [other, is_new] = origins.emplace(name, original); !is_new) {
      throw Error("weights", file.path + ": '" + other->second + "' and '" + original + "' are both the weights '" + name + "'.",
                  "The file mixes the names of two projects; make it again.");
    }
    const bool squeeze = tensor.dim() == 4 && tensor.size(2) == 1 && tensor.size(3) == 1 && contains_any(name, names.linear);
    tensors.emplace_back(name, squeeze ? tensor.flatten(1) : tensor);
  }
  file.tensors = std::move(tensors);
  return file;
}

}  // namespace sparring
