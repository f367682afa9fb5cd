#include "io/safetensors.h"

#include <algorithm>
#include <bit>

#include "error.h"
#include "io/files.h"
#include "io/json.h"
#include "io/safetensors_dtypes.h"

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

namespace sparring {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error("weights", "Cannot store weights in " + path + ": " + what + ".");
}

const SafetensorsDtype& dtype_of(const std::string& path, const std::string& name, const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.layout() != at::kStrided) fail(path, "tensor \"" + name + "\" is not a dense tensor");
  const auto* found = std::ranges::find(kSafetensorsDtypes, tensor.scalar_type(), &SafetensorsDtype::type);
  if (found == std::end(kSafetensorsDtypes) || !found->writable) {
    fail(path, "tensor \"" + name + "\" has type " + c10::toString(tensor.scalar_type()) +
                   ", which is none of F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL");
  }
  return *found;
}

struct Item {
  const SafetensorsDtype* dtype;
  const std::string* name;
  const at::Tensor* tensor;
};

std::vector<Item> in_file_order(const std::string& path, const NamedTensors& tensors) {
  std::vector<Item> items;
  for (const auto& [name, tensor] : tensors) {
    if (name == "__metadata__") fail(path, "the name \"__metadata__\" is reserved");
    items.push_back({&dtype_of(path, name, tensor), &name, &tensor});
  }
  std::ranges::sort(items, {}, [](const Item& item) { return *item.name; });
  const auto twice = std::ranges::adjacent_find(items, {}, [](const Item& item) { return *item.name; });
  if (twice != items.end()) fail(path, "two tensors are named \"" + *twice->name + "\"");
  std::ranges::stable_sort(items, {}, &Item::dtype);  // by place in kSafetensorsDtypes
  return items;
}

std::string header_of(const std::string& path, const std::vector<Item>& items,
                      const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  const auto next = [&] { return header.size() > 1 ? "," : ""; };
  try {
    if (!metadata.empty()) {
      header += "\"__metadata__\":{";
      const char* comma = "";
      for (const auto& [key, value] : metadata) {
        header += comma + quote_json(key) + ":" + quote_json(value);
        comma = ",";
      }
      header += "}";
    }
    uint64_t begin = 0;
    for (const auto& [dtype, name, tensor] : items) {
      const uint64_t end = begin + tensor->nbytes();
      header += next() + quote_json(*name) + ":{\"dtype\":\"" + std::string(dtype->name) + "\",\"shape\":[" +
                c10::Join(",", tensor->sizes()) + "],\"data_offsets\":[" + std::to_string(begin) + "," +
                std::to_string(end) + "]}";
      begin = end;
    }
  } catch (const JsonError& error) {
    fail(path, std::string("a name or a metadata text holds ") + error.what());
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  return header;
}

}  // namespace

void write_safetensors(const std::string& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto items = in_file_order(path, tensors);
  const auto header = header_of(path, items, metadata);
  const auto length = static_cast<uint64_t>(header.size());
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(header);
  for (const auto& [dtype, name, tensor] : items) {
    const auto dense = tensor->detach().cpu().contiguous();
    file.write(dense.const_data_ptr(), dense.nbytes());
  }
  file.commit();
}

}  // namespace sparring
