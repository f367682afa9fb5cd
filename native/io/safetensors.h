// Safetensors files (https://github.com/huggingface/safetensors): an 8-byte little-endian header length, a JSON header
// {"__metadata__": {text: text}, name: {"dtype", "shape", "data_offsets": [begin, end]}, ...}, then the tensors' bytes.
// Reads F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL F8_E4M3 F8_E5M2; writes all but the F8 types.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

namespace sparring {

class MappedFile;

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

struct SafetensorsFile {
  std::string path;                // as messages call it
  std::vector<std::string> files;  // what was read: the path itself, or an index and its shards
  std::map<std::string, std::string> metadata;
  NamedTensors tensors;  // in name order, on the CPU
  std::vector<std::shared_ptr<MappedFile>> mappings;  // whose memory the tensors borrow

  // To be called when a tensor has been used, so that reading a large file takes little memory: what the tensor borrows is
  // given back, and read from the file again if it is used again.
  void release(const at::Tensor& tensor) const;
};

// Maps the file and checks its whole layout before returning; no tensor data is read yet. The tensors borrow the
// mapping, which lives as long as any of them; writing to one changes memory, never the file. Booleans, and tensors that
// the file does not align for their type, are copied. Throws Error "io" if the file cannot be read, "weights" if it is
// damaged or of another format (pickles are refused: loading one runs code).
SafetensorsFile read_safetensors(const std::string& path);

// Writes `tensors` (dense, any device and memory format) so that `path` holds the old file or the whole new one at any
// moment. The order of the data is the reference's: largest element size first, then by name. Throws Error "io" if
// writing fails (the old file stays), "weights" for duplicate or invalid names and for types that cannot be stored.
void write_safetensors(const std::string& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace sparring
