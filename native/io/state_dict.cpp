#include "io/state_dict.h"

#include <algorithm>
#include <map>

#include "error.h"

namespace sparring {
namespace {

std::string describe(at::ScalarType type, at::IntArrayRef sizes) { return c10::str(c10::toString(type), " ", sizes); }
std::string describe(const at::Tensor& tensor) { return describe(tensor.scalar_type(), tensor.sizes()); }

// Integers in place of weights are quantised weights, whose scale we would not apply. A scalar is a counter, which
// torch::nn::Module::to(dtype) turns into a floating-point number with the rest.
bool same_kind(const at::Tensor& target, const at::Tensor& source) {
  return target.dim() == 0 || target.is_floating_point() == source.is_floating_point();
}

// The part of a file that holds our grid weight for another size of the input, resampled; undefined if it is none.
at::Tensor resampled(const std::vector<GridWeight>& grids, const std::string& name, const KeySource& source, const at::Tensor& part, at::IntArrayRef ours) {
  for (const auto& grid : grids) {
    if (!name.ends_with(grid.name) || source.names.size() != 1) continue;
    const auto sizes = grid.other_sizes(ours, part.numel());
    if (sizes && at::IntArrayRef(source.part_sizes(*sizes)) == part.sizes()) return grid.resample(source.assemble({part}, *sizes), ours);
  }
  return {};
}

void append(std::string& text, const char* title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  text += c10::str("\n", title, " (", lines.size(), "):");
  for (const auto& line : lines) text += "\n  " + line;
}

}  // namespace

NamedTensors state_dict(const torch::nn::Module& module) {
  NamedTensors tensors;
  for (const auto& item : module.named_parameters()) tensors.emplace_back(item.key(), item.value().detach());
  for (const auto& item : module.named_buffers()) tensors.emplace_back(item.key(), item.value().detach());
  return tensors;
}

void load_into(torch::nn::Module& module, const SafetensorsFile& file, const std::vector<std::string>& optional, const KeyNames& key_names,
               const std::vector<GridWeight>& grids) {
  std::map<std::string, at::Tensor> sources(file.tensors.begin(), file.tensors.end());
  const auto is_optional = [&](const std::string& name) {
    return std::any_of(optional.begin(), optional.end(), [&](const std::string& part) { return name.starts_with(part + "."); });
  };
  std::vector<std::string> missing, misshapen, unexpected;
  bool optional_fit = true;  // a head is loaded whole or not at all
  struct Copy {
    std::string name;
    at::Tensor target;
    KeySource source;
    std::vector<at::Tensor> parts;
  };
  std::vector<Copy> copies;
  for (const auto& [name, target] : state_dict(module)) {
    const auto source = source_of(key_names, name);
    const auto sizes = source.part_sizes(target.sizes());
    std::vector<at::Tensor> parts;
    for (const auto& part_name : source.names) {
      const auto part = sources.find(part_name);
      if (part == sources.end()) {
        if (is_optional(name)) optional_fit = false;
        else if (!name.ends_with("num_batches_tracked")) missing.push_back(part_name + ": " + describe(target.scalar_type(), sizes));
        continue;
      }
      const bool fits_shape = part->second.sizes() == sizes, fits_kind = same_kind(target, part->second);
      const auto other = !fits_shape && fits_kind ? resampled(grids, name, source, part->second, target.sizes()) : at::Tensor();
      if (fits_shape && fits_kind) parts.push_back(part->second);
      else if (other.defined()) copies.push_back({name, target, {{part_name}}, {other}});
      else if (!fits_shape && is_optional(name)) optional_fit = false;
      else misshapen.push_back(part_name + ": expected " + describe(target.scalar_type(), sizes) + ", found " + describe(part->second));
      sources.erase(part);
    }
    if (parts.size() == source.names.size()) copies.push_back({name, target, source, parts});
  }
  for (const auto& [name, tensor] : sources) {
    if (!is_ignored(key_names, name)) unexpected.push_back(name + ": " + describe(tensor));
  }

  if (!missing.empty() || !misshapen.empty() || !unexpected.empty()) {
    std::string message = file.path + ": the weights do not fit the model.";
    append(message, "missing", missing);
    append(message, "of the wrong shape or type", misshapen);
    append(message, "unexpected", unexpected);
    throw Error("weights", message, "Choose the architecture, sizes and number of classes that the file was made for.");
  }
  const torch::NoGradGuard no_grad;
  for (auto& [name, target, source, parts] : copies) {
    if (!optional_fit && is_optional(name)) continue;
    target.copy_(source.assemble(parts, target.sizes()));
    for (const auto& part : parts) file.release(part);
  }
}

}  // namespace sparring
