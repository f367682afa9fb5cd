#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <optional>

#include "error.h"
#include "io/files.h"
#include "io/json.h"
#include "io/safetensors_dtypes.h"

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

namespace sparring {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // the reference's limit
constexpr std::size_t kMaxDimensions = 64;    // LibTorch's limit

struct Entry {
  std::string name;
  const SafetensorsDtype* dtype = nullptr;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // byte range after the header
};

[[noreturn]] void fail(const std::string& path, const std::string& what,
                       const std::string& hint = "The file is damaged or cut short: get it again.") {
  throw Error("weights", path + ": " + what + ".", hint);
}

std::string quoted(const Entry& entry) { return "tensor " + quote_json_start(entry.name); }

std::string range(const Entry& entry) {
  return "[" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + ")";
}

// Names the formats that people mistake for safetensors. The last check keeps a header whose length happens to begin
// like one of them: after the length, a safetensors header begins with '{'.
void refuse_other_formats(const std::string& path, std::string_view content) {
  static constexpr struct {
    std::string_view magic;
    const char *what, *hint;
  } kFormats[] = {
      {"PK\x03\x04", "this is a zip archive, as torch.save writes it, which holds a pickle",
       "Pickles can run any code, so they are refused. Convert it in Python: "
       "safetensors.torch.save_file(torch.load(path, weights_only=True), 'model.safetensors')."},
      {"\x80", "this is a pickle",
       "Pickles can run any code, so they are refused. Convert it in Python: "
       "safetensors.torch.save_file(torch.load(path, weights_only=True), 'model.safetensors')."},
      {"version https://git-lfs", "this is a Git LFS pointer, not the weights", "Fetch the file itself: git lfs pull."},
      {"<!DOCTYPE", "this is a web page", "The download gave an error page: check the address and download it again."},
      {"<html", "this is a web page", "The download gave an error page: check the address and download it again."},
      {"GGUF", "this is a GGUF file", "Get the same weights as safetensors."},
  };
  if (content.size() > kLengthBytes && content[kLengthBytes] == '{') return;
  for (const auto& format : kFormats) {
    if (content.starts_with(format.magic)) fail(path, format.what, format.hint);
  }
}

std::string_view find_header(const std::string& path, std::string_view content) {
  const char* const not_one = "This is not a safetensors file, or it was cut short: check it or get it again.";
  refuse_other_formats(path, content);
  if (content.size() <= kLengthBytes) {
    fail(path, "expected more than 8 bytes, found " + std::to_string(content.size()), not_one);
  }
  uint64_t length = 0;
  std::memcpy(&length, content.data(), kLengthBytes);
  if (length > kMaxHeader) {
    fail(path, "expected a header of at most " + std::to_string(kMaxHeader) + " bytes, found a length of " +
                   std::to_string(length), not_one);
  }
  if (length > content.size() - kLengthBytes) {
    fail(path, "the header should have " + std::to_string(length) + " bytes, but only " +
                   std::to_string(content.size() - kLengthBytes) + " follow its length", not_one);
  }
  return content.substr(kLengthBytes, length);
}

const SafetensorsDtype* find_dtype(std::string_view name) {
  const auto* found = std::ranges::find(kSafetensorsDtypes, name, &SafetensorsDtype::name);
  return found == std::end(kSafetensorsDtypes) ? nullptr : found;
}

void read_shape(const std::string& path, Entry& entry, JsonReader& reader) {
  for (const uint64_t size : reader.read_unsigned_array(kMaxDimensions)) {
    if (size > INT64_MAX) fail(path, quoted(entry) + ": a dimension of " + std::to_string(size) + " is too large");
    entry.shape.push_back(static_cast<int64_t>(size));
  }
}

Entry read_entry(const std::string& path, const std::string& name, JsonReader& reader) {
  Entry entry;
  entry.name = name;
  bool has_shape = false, has_offsets = false;
  reader.read_object([&](const std::string& key) {
    if (key == "dtype") {
      const auto dtype = reader.read_string();
      entry.dtype = find_dtype(dtype);
      if (entry.dtype == nullptr) {
        fail(path, quoted(entry) + ": unknown dtype " + quote_json_start(dtype),
             "Supported: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL F8_E4M3 F8_E5M2. Convert the weights to one of them.");
      }
    } else if (key == "shape") {
      read_shape(path, entry, reader);
      has_shape = true;
    } else if (key == "data_offsets") {
      const auto offsets = reader.read_unsigned_array(2);
      if (offsets.size() != 2) fail(path, quoted(entry) + ": expected two data_offsets");
      entry.begin = offsets[0], entry.end = offsets[1];
      has_offsets = true;
    } else {
      fail(path, quoted(entry) + ": expected dtype, shape and data_offsets, found " + quote_json_start(key));
    }
  });
  if (entry.dtype == nullptr || !has_shape || !has_offsets) {
    fail(path, quoted(entry) + ": expected dtype, shape and data_offsets, but " +
                   (entry.dtype == nullptr ? "dtype" : has_shape ? "data_offsets" : "shape") + " is missing");
  }
  return entry;
}

std::vector<Entry> read_header(const std::string& path, std::string_view header,
                               std::map<std::string, std::string>& metadata) {
  std::vector<Entry> entries;
  try {
    JsonReader reader(header);
    reader.read_object([&](const std::string& name) {
      if (name == "__metadata__") {
        reader.read_object([&](const std::string& key) { metadata[key] = reader.read_string(); });
      } else {
        entries.push_back(read_entry(path, name, reader));
      }
    });
    reader.read_end();
  } catch (const JsonError& error) {
    fail(path, std::string("the header is not valid: ") + error.what() + " of the header");
  }
  return entries;
}

// Bytes that the shape needs, or nothing if sizes or strides would leave the range of int64.
std::optional<uint64_t> expected_bytes(const Entry& entry) {
  uint64_t padded = c10::elementSize(entry.dtype->type), bytes = padded;  // padded: with 1 in place of 0
  for (const int64_t size : entry.shape) {
    const auto factor = static_cast<uint64_t>(std::max<int64_t>(size, 1));
    if (padded > static_cast<uint64_t>(INT64_MAX) / factor) return std::nullopt;
    padded *= factor;
    bytes *= static_cast<uint64_t>(size);
  }
  return bytes;
}

// Every byte after the header must belong to exactly one tensor.
void check_layout(const std::string& path, std::vector<Entry>& entries, uint64_t data_bytes) {
  for (const Entry& entry : entries) {
    if (entry.begin > entry.end || entry.end > data_bytes) {
      fail(path, quoted(entry) + ": bytes " + range(entry) + " do not lie within the file's " +
                     std::to_string(data_bytes) + " bytes of data");
    }
    const auto expected = expected_bytes(entry);
    if (expected != entry.end - entry.begin) {
      fail(path, quoted(entry) + ": shape " + c10::str(at::IntArrayRef(entry.shape)) + " of " +
                     std::string(entry.dtype->name) + " needs " +
                     (expected ? std::to_string(*expected) : "more than 2^63") + " bytes, found " +
                     std::to_string(entry.end - entry.begin));
    }
  }
  std::ranges::sort(entries, {}, [](const Entry& entry) { return std::pair(entry.begin, entry.end); });
  uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin < covered) fail(path, quoted(entry) + ": bytes " + range(entry) + " overlap another tensor");
    if (entry.begin > covered) {
      fail(path, "bytes [" + std::to_string(covered) + ", " + std::to_string(entry.begin) + ") before " +
                     quoted(entry) + " belong to no tensor");
    }
    covered = entry.end;
  }
  if (covered != data_bytes) {
    fail(path, std::to_string(data_bytes - covered) + " bytes after the last tensor belong to no tensor");
  }
}

at::Tensor borrow(const std::shared_ptr<MappedFile>& file, char* data, const Entry& entry) {
  const auto options = at::TensorOptions(entry.dtype->type);
  if (entry.begin == entry.end) return at::empty(entry.shape, options);
  if (entry.dtype->type == at::kBool) {  // a byte other than 0 and 1 is not a bool to C++
    return at::from_blob(data, entry.shape, options.dtype(at::kByte)).ne(0);
  }
  const bool aligned = reinterpret_cast<uintptr_t>(data) % c10::elementSize(entry.dtype->type) == 0;
  if (aligned) return at::from_blob(data, entry.shape, [file](void*) {}, options);
  auto copy = at::empty(entry.shape, options);
  std::memcpy(copy.data_ptr(), data, entry.end - entry.begin);
  return copy;
}

}  // namespace

void SafetensorsFile::release(const at::Tensor& tensor) const {
  for (const auto& mapping : mappings) mapping->release(tensor.const_data_ptr(), tensor.nbytes());
}

SafetensorsFile read_safetensors(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path);
  const std::string_view content(file->data(), file->size());
  const auto header = find_header(path, content);
  SafetensorsFile result{.path = path, .files = {path}, .metadata = {}, .tensors = {}, .mappings = {file}};
  auto entries = read_header(path, header, result.metadata);
  const uint64_t data_begin = kLengthBytes + header.size();
  check_layout(path, entries, file->size() - data_begin);
  std::ranges::sort(entries, {}, &Entry::name);
  for (const Entry& entry : entries) {
    result.tensors.emplace_back(entry.name, borrow(file, file->data() + data_begin + entry.begin, entry));
  }
  return result;
}

}  // namespace sparring
