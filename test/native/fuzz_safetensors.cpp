// Damages safetensors files at random and reads them. Every file must either load into tensors whose bytes can all be
// touched, or be refused with an Error "weights"; anything else ends the program with status 1.
//   fuzz_safetensors [iterations = 10000] [seed = 1]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <unistd.h>

#include "error.h"
#include "io/safetensors.h"

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

// True if the file loads. Reads and writes every byte, so that a sanitiser sees a range that is not the tensor's own.
bool loads(const fs::path& path) {
  try {
    const auto file = sparring::read_safetensors(path);
    for (const auto& [name, tensor] : file.tensors) {
      auto* const bytes = static_cast<volatile unsigned char*>(tensor.data_ptr());
      for (std::size_t i = 0; i < tensor.nbytes(); ++i) bytes[i] = bytes[i];
    }
    return true;
  } catch (const sparring::Error& error) {
    if (error.code != "weights" || error.what()[0] == '\0') {
      throw std::runtime_error("code " + error.code + ": " + error.what());
    }
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::atol(argv[1]) : 10000;
  const auto seed = static_cast<uint64_t>(argc > 2 ? std::atol(argv[2]) : 1);
  const auto path = fs::temp_directory_path() / ("fuzz-" + std::to_string(::getpid()) + ".safetensors");
  Random random(seed);
  const auto valid = valid_files(path);
  long loaded = 0;
  int status = 0;
  for (long i = 0; i < iterations && status == 0; ++i) {
    write_file(path, damage(valid[random.below(valid.size())], random));
    try {
      loaded += loads(path);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "iteration %ld, seed %llu: %s\n", i, static_cast<unsigned long long>(seed), error.what());
      status = 1;
    }
  }
  fs::remove(path);
  if (status == 0) std::printf("%ld files: %ld loaded, %ld refused\n", iterations, loaded, iterations - loaded);
  return status;
}
