// Damages safetensors files and indexes of shards, and reads them. Each must either load into tensors that are right and
// whose bytes can all be touched, or be refused with one Error; anything else ends the program with status 1.
//   fuzz_safetensors [random changes of each kind = 10000] [seed = 1]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <unistd.h>

#include "error.h"
#include "io/safetensors.h"
#include "io/weights.h"

namespace {

namespace fs = std::filesystem;

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : static_cast<std::size_t>(engine_() % limit); }
  bool one_in(std::size_t count) { return below(count) == 0; }
  template <std::size_t n>
  const char* pick(const char* const (&options)[n]) { return options[below(n)]; }

 private:
  std::mt19937_64 engine_;
};

constexpr const char* kNumbers[] = {"0", "1", "7", "8", "16", "64", "255", "4096", "2147483647", "4294967296",
                                    "4611686018427387904", "9223372036854775807", "9223372036854775808",
                                    "18446744073709551615", "18446744073709551616", "-1", "1.5", "1e3", "00", ""};
constexpr const char* kDtypes[] = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL", "F8_E4M3",
                                   "F8_E5M2", "U64", "C64", "f32", ""};
constexpr const char* kPieces[] = {
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\\udc00", "\\ud83d\\ude00", "\\u0000", "null", "true",
    "[[[[[[", "{\"a\":", "\"dtype\":\"F32\"", "\"shape\":[]", "\"data_offsets\":[0,0]", "\"__metadata__\":{}",
    "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},", "\xff", "\xc0\x80", "\xed\xa0\x80",
    "\xf4\x90\x80\x80", "\x01", "\xe2\x82"};

std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
}

std::vector<std::string> valid_files(const fs::path& path) {
  const auto sample = [&](const sparring::NamedTensors& tensors, const std::map<std::string, std::string>& metadata) {
    sparring::write_safetensors(path, tensors, metadata);
    return read_file(path);
  };
  return {
      sample({}, {}),
      sample({{"a", at::ones({2, 3})}}, {}),
      sample({{"weight", at::ones({4, 3, 3, 3})}, {"bias", at::ones({4}, at::kHalf)}, {"empty", at::empty({0, 7})},
              {"count", at::ones({}, at::kLong)}, {"mask", at::ones({5}, at::kBool)},
              {"b", at::ones({3}, at::kBFloat16)}},
             {{"format", "pt"}, {"note", "caf\xc3\xa9 \"quoted\" \\ \n"}}),
  };
}

// Replaces one of the runs of `characters` in `text`.
void replace_token(std::string& text, Random& random, const char* characters, const char* replacement) {
  std::vector<std::size_t> starts;
  const auto belongs = [&](std::size_t i) { return text[i] != '\0' && std::strchr(characters, text[i]) != nullptr; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (belongs(i) && (i == 0 || !belongs(i - 1))) starts.push_back(i);
  }
  if (starts.empty()) return;
  const std::size_t start = starts[random.below(starts.size())];
  const std::size_t end = std::min(text.find_first_not_of(characters, start), text.size());
  text.replace(start, end - start, replacement);
}

void damage_header(std::string& header, Random& random) {
  const std::size_t at = random.below(header.size() + 1), count = 1 + random.below(12);
  switch (random.below(7)) {
    case 0: replace_token(header, random, "0123456789", random.pick(kNumbers)); break;
    case 1: replace_token(header, random, "ABFIU0123456789EM_", random.pick(kDtypes)); break;
    case 2: header.insert(at, random.pick(kPieces)); break;
    case 3: header.erase(std::min(at, header.size()), count); break;
    case 4: if (at < header.size()) header[at] = static_cast<char>(random.below(256)); break;
    case 5: header.insert(at, header.substr(random.below(header.size() + 1), 10 * count)); break;  // repeats members
    default: header.append(count, random.one_in(2) ? ' ' : '}'); break;
  }
}

std::string damage(const std::string& valid, Random& random) {
  uint64_t length = 0;
  std::memcpy(&length, valid.data(), sizeof length);
  std::string header = valid.substr(8, length), data = valid.substr(8 + length);
  for (std::size_t i = 1 + random.below(3); i > 0; --i) damage_header(header, random);
  length = header.size();
  if (random.one_in(8)) length ^= uint64_t{1} << random.below(64);
  if (random.one_in(8)) data.resize(random.below(2 * data.size() + 2));
  std::string file(reinterpret_cast<const char*>(&length), sizeof length);
  file += header + data;
  if (random.one_in(8)) file.resize(random.below(file.size() + 1));
  if (random.one_in(16) && !file.empty()) {
    file[random.below(std::min<std::size_t>(file.size(), 16))] = static_cast<char>(random.below(256));
  }
  return file;
}

// ---------------------------------------------------------------- what must hold

// Reads and writes every byte, so that a sanitiser sees a range that is not the tensor's own.
void touch(const sparring::SafetensorsFile& file) {
  for (const auto& [name, tensor] : file.tensors) {
    auto* const bytes = static_cast<volatile unsigned char*>(tensor.data_ptr());
    for (std::size_t i = 0; i < tensor.nbytes(); ++i) bytes[i] = bytes[i];
  }
}

// The tensors, or nothing if they are refused.
std::optional<sparring::SafetensorsFile> load(const fs::path& path) {
  try {
    auto file = sparring::read_weights(path);
    touch(file);
    return file;
  } catch (const sparring::Error& error) {
    const bool known = error.code == "weights" || (error.code == "io" && path.extension() == ".json");  // a shard that is not there
    if (!known || error.what()[0] == '\0') throw std::runtime_error("code " + error.code + ": " + error.what());
    return std::nullopt;
  }
}

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

struct Counts {
  long loaded = 0, refused = 0;
  bool add(bool loads) {
    ++(loads ? loaded : refused);
    return loads;
  }
  void print(const char* what) const { std::printf("%-40s %8ld loaded %8ld refused\n", what, loaded, refused); }
};

std::string with_flipped_bit(std::string content, std::size_t bit) {
  content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << bit % 8));
  return content;
}

// ---------------------------------------------------------------- single files

void fuzz_random(const fs::path& path, const std::vector<std::string>& valid, Random& random, long iterations) {
  Counts counts;
  for (long i = 0; i < iterations; ++i) {
    write_file(path, damage(valid[random.below(valid.size())], random));
    counts.add(load(path).has_value());
  }
  counts.print("files with random changes");
}

void fuzz_cuts(const fs::path& path, const std::vector<std::string>& valid) {
  Counts counts;
  for (const auto& content : valid) {
    for (std::size_t length = 0; length < content.size(); ++length) {
      write_file(path, content.substr(0, length));
      require(!counts.add(load(path).has_value()), "a file that is cut short loads");
    }
  }
  counts.print("files cut at every byte");
}

// A flipped bit of the data changes one element of one tensor; one of the header may be another valid header.
void fuzz_bits(const fs::path& path, const std::vector<std::string>& valid) {
  Counts counts;
  for (const auto& content : valid) {
    uint64_t header = 0;
    std::memcpy(&header, content.data(), sizeof header);
    write_file(path, content);
    auto original = load(path).value();
    for (auto& [name, tensor] : original.tensors) tensor = tensor.clone();  // the file is about to be written over
    for (std::size_t bit = 0; bit < 8 * content.size(); ++bit) {
      write_file(path, with_flipped_bit(content, bit));
      const auto file = load(path);
      counts.add(file.has_value());
      if (bit < 8 * (8 + header)) continue;
      require(file && file->tensors.size() == original.tensors.size(), "a file with another bit in its data does not load");
      int64_t changed = 0;
      for (std::size_t i = 0; i < file->tensors.size(); ++i) {
        const auto& [name, tensor] = file->tensors[i];
        const auto& [old_name, old_tensor] = original.tensors[i];
        require(name == old_name && tensor.sizes() == old_tensor.sizes() && tensor.dtype() == old_tensor.dtype(), "another bit of the data changes a shape");
        changed += tensor.nbytes() > 0 && std::memcmp(tensor.data_ptr(), old_tensor.data_ptr(), tensor.nbytes()) != 0;
      }
      require(changed <= 1, "another bit of the data changes several tensors");
    }
  }
  counts.print("files with each bit flipped");
}

// ---------------------------------------------------------------- shards

struct Shards {
  fs::path index;
  std::string text;
  std::map<std::string, at::Tensor> tensors;
};

Shards write_shards(const fs::path& folder) {
  fs::create_directory(folder);
  const sparring::NamedTensors first{{"a", at::arange(6).to(at::kFloat)}, {"c", at::ones({2, 2}, at::kHalf)}}, second{{"b", at::full({3}, 7, at::kLong)}};
  sparring::write_safetensors(folder / "m-1.safetensors", first, {{"format", "pt"}});
  sparring::write_safetensors(folder / "m-2.safetensors", second, {{"format", "pt"}});
  Shards shards{folder / "m.safetensors.index.json",
                R"({"metadata": {"total_size": 1.5e3, "x": [null, true, {"y": -0.5}]}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-1.safetensors"}})", {}};
  for (const auto& part : {first, second}) shards.tensors.insert(part.begin(), part.end());
  return shards;
}

// Whatever the index says, tensors that load are those of the shards.
bool loads_right(const Shards& shards) {
  const auto file = load(shards.index);
  if (!file) return false;
  for (const auto& [name, tensor] : file->tensors) {
    const auto original = shards.tensors.find(name);
    require(original != shards.tensors.end() && tensor.equal(original->second), "an index gives tensors that the shards do not hold");
  }
  return true;
}

void fuzz_index(const Shards& shards, Random& random, long iterations) {
  Counts cuts, bits, changes;
  for (std::size_t length = 0; length < shards.text.size(); ++length) {
    write_file(shards.index, shards.text.substr(0, length));
    require(!cuts.add(loads_right(shards)), "an index that is cut short loads");
  }
  for (std::size_t bit = 0; bit < 8 * shards.text.size(); ++bit) {
    write_file(shards.index, with_flipped_bit(shards.text, bit));
    bits.add(loads_right(shards));
  }
  for (long i = 0; i < iterations; ++i) {
    auto text = shards.text;
    for (std::size_t change = 1 + random.below(3); change > 0; --change) damage_header(text, random);
    write_file(shards.index, text);
    changes.add(loads_right(shards));
  }
  write_file(shards.index, shards.text);
  require(loads_right(shards), "the index itself does not load");
  cuts.print("indexes cut at every byte"), bits.print("indexes with each bit flipped"), changes.print("indexes with random changes");
}

// The index as it is, one of its shards damaged.
void fuzz_shard(const Shards& shards, Random& random, long iterations) {
  Counts counts;
  const auto path = shards.index.parent_path() / "m-1.safetensors";
  const auto content = read_file(path);
  for (long i = 0; i < iterations; ++i) {
    write_file(path, damage(content, random));
    const auto file = load(shards.index);
    if (counts.add(file.has_value())) require(file->tensors.size() == shards.tensors.size(), "a damaged shard loads without some of its tensors");
  }
  write_file(path, content);
  counts.print("shards with random changes");
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::atol(argv[1]) : 10000;
  const auto seed = static_cast<uint64_t>(argc > 2 ? std::atol(argv[2]) : 1);
  const auto folder = fs::temp_directory_path() / ("fuzz-" + std::to_string(::getpid()));
  fs::create_directory(folder);
  Random random(seed);
  int status = 0;
  try {
    const auto path = folder / "file.safetensors";
    const auto valid = valid_files(path);
    fuzz_random(path, valid, random, iterations);
    fuzz_cuts(path, valid);
    fuzz_bits(path, valid);
    const auto shards = write_shards(folder / "shards");
    fuzz_index(shards, random, iterations);
    fuzz_shard(shards, random, iterations);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "seed %llu: %s; the file is kept in %s\n", static_cast<unsigned long long>(seed), error.what(), folder.c_str());
    status = 1;
  }
  if (status == 0) fs::remove_all(folder);
  return status;
}
