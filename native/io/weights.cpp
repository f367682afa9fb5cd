#include "io/weights.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "error.h"
#include "io/files.h"
#include "io/json.h"

namespace sparring {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxIndex = 100'000'000;  // bytes, as of a header
constexpr std::string_view kIndexEnding = ".index.json";

using Shards = std::map<std::string, std::set<std::string>>;  // file name -> tensors

[[noreturn]] void fail(const std::string& path, const std::string& what,
                       const std::string& hint = "The index is damaged: get it again.") {
  throw Error("weights", path + ": " + what + ".", hint);
}

constexpr const char* kNotOne = "Index and shards are not of one model, or one of them is damaged: get all of them again.";

// Only names of files beside the index: a path could lead anywhere on the disk.
void check_name(const std::string& path, const std::string& shard) {
  const bool plain = !shard.empty() && shard != "." && shard != ".." && shard.find('/') == shard.npos && shard.find('\0') == shard.npos;
  if (!plain) fail(path, "expected shards in the folder of the index, found " + quote_json_start(shard), "Put the shards beside their index, and name them there without a folder.");
}

Shards read_index(const std::string& path) {
  const MappedFile file(path);
  if (file.size() > kMaxIndex) fail(path, "expected an index of at most " + std::to_string(kMaxIndex) + " bytes, found " + std::to_string(file.size()));
  Shards shards;
  bool has_map = false;
  try {
    JsonReader reader({file.data(), file.size()});
    reader.read_object([&](const std::string& key) {
      if (key != "weight_map") return reader.skip_value();
      has_map = true;
      reader.read_object([&](const std::string& tensor) {
        const auto shard = reader.read_string();
        check_name(path, shard);
        shards[shard].insert(tensor);
      });
    });
    reader.read_end();
  } catch (const JsonError& error) {
    fail(path, std::string("the index is not valid: ") + error.what());
  }
  if (!has_map) fail(path, "expected a weight_map, found none", "Expected the index of a model in shards, as huggingface writes it.");
  return shards;
}

std::string beside(const std::string& index, const std::string& shard) { return (fs::path(index).parent_path() / shard).string(); }

// "a", "b", "c" and 7 more
std::string some(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 3); ++i) text += (i > 0 ? ", " : "") + quote_json_start(names[i]);
  return names.size() > 3 ? text + " and " + std::to_string(names.size() - 3) + " more" : text;
}

// The shard must hold what the index says of it, no more and no less.
void check_tensors(const std::string& index, const Shards& shards, const std::string& shard, const SafetensorsFile& file) {
  const auto& promised = shards.at(shard);
  std::set<std::string> found;
  for (const auto& [name, tensor] : file.tensors) {
    found.insert(name);
    if (promised.contains(name)) continue;
    for (const auto& [other, tensors] : shards) {
      if (tensors.contains(name)) fail(index, "tensor " + quote_json_start(name) + " is in shard " + shard + ", but belongs into " + other, kNotOne);
    }
    fail(index, "shard " + shard + " holds tensor " + quote_json_start(name) + ", of which the index says nothing", kNotOne);
  }
  std::vector<std::string> missing;
  std::ranges::set_difference(promised, found, std::back_inserter(missing));
  if (!missing.empty()) fail(index, "shard " + shard + " lacks tensors that the index promises: " + some(missing), kNotOne);
}

SafetensorsFile read_shards(const std::string& index) {
  const auto shards = read_index(index);
  SafetensorsFile result{.path = index, .files = {index}, .metadata = {}, .tensors = {}, .mappings = {}};
  for (const auto& [shard, promised] : shards) {
    const auto path = beside(index, shard);
    std::error_code ignored;
    if (!fs::exists(path, ignored)) throw Error("io", index + ": shard " + shard + " is missing.", "Get all the shards that the index names, and put them beside it.");
    auto file = read_safetensors(path);
    check_tensors(index, shards, shard, file);
    result.files.push_back(path);
    result.mappings.insert(result.mappings.end(), file.mappings.begin(), file.mappings.end());
    result.metadata.merge(file.metadata);
    result.tensors.insert(result.tensors.end(), file.tensors.begin(), file.tensors.end());
  }
  std::ranges::sort(result.tensors, {}, [](const auto& item) { return item.first; });
  return result;
}

// What the model folders of transformers, timm and diffusers call their weights, the preferred first.
constexpr const char* kUsualNames[] = {"model.safetensors", "model.safetensors.index.json", "diffusion_pytorch_model.safetensors",
                                       "diffusion_pytorch_model.safetensors.index.json"};

// The file itself; of a folder what has a usual name, or else its only index, or else its only weights.
std::string file_of(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  for (const auto* name : kUsualNames) {
    if (fs::exists(fs::path(path) / name, ignored)) return (fs::path(path) / name).string();
  }
  for (const std::string ending : {".safetensors.index.json", ".safetensors"}) {
    std::vector<std::string> found;
    for (fs::directory_iterator entry(path, ignored); !ignored && entry != fs::directory_iterator(); entry.increment(ignored)) {
      if (entry->path().filename().string().ends_with(ending)) found.push_back(entry->path().filename().string());
    }
    std::ranges::sort(found);
    if (found.size() == 1) return (fs::path(path) / found[0]).string();
    if (found.size() > 1) throw Error("io", path + ": expected a folder with one *" + ending + ", found " + some(found) + ".", "Give the path of one of them.");
  }
  throw Error("io", path + ": expected a safetensors file, or a folder with one or with shards and their index, found none in it.",
              "Weights are read from safetensors alone; convert others first.");
}

}  // namespace

SafetensorsFile read_weights(const std::string& path) {
  const auto file = file_of(path);
  return file.ends_with(kIndexEnding) ? read_shards(file) : read_safetensors(file);
}

}  // namespace sparring
