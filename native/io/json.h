// JSON (RFC 8259) as safetensors headers and the indexes of shards need it: objects, strings and arrays of unsigned integers
// are read, anything else can be passed over.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sparring {

// What is wrong with a JSON text, and at which byte.
struct JsonError : std::runtime_error {
  JsonError(const std::string& message, std::size_t offset)
      : std::runtime_error(message + " at byte " + std::to_string(offset)) {}
};

// A pull reader: the caller says what comes next, so the text cannot choose how deep the reader goes or how much memory
// it takes. Strict: well-formed UTF-8, no control characters, no lone surrogates, no leading zeros, no duplicate keys.
// Every method throws JsonError when the text holds something else.
class JsonReader {
 public:
  // `text` must outlive the reader.
  explicit JsonReader(std::string_view text) : text_(text) {}

  // Reads an object. `on_member` is called after each key and must read that key's value.
  void read_object(const std::function<void(const std::string& key)>& on_member);

  // Reads a string and decodes its escapes to UTF-8.
  std::string read_string();

  // Reads an array of at most `limit` integers in [0, 2^64).
  std::vector<uint64_t> read_unsigned_array(std::size_t limit);

  // Passes over a value of any kind, nested at most `depth` deep.
  void skip_value(int depth = 16);

  // Requires that only white space is left.
  void read_end();

 private:
  [[noreturn]] void fail(const std::string& message) const;
  void skip_space();
  bool accept(char expected);
  void expect(char expected, const char* what);
  uint64_t read_unsigned();
  void skip_number();
  uint32_t read_hex4();
  void read_escape(std::string& out);
  void read_utf8(std::string& out);

  std::string_view text_;
  std::size_t at_ = 0;
};

// `text` as a JSON string literal with its quotes. Throws JsonError if `text` is not UTF-8.
std::string quote_json(std::string_view text);

// The same for messages: at most about 100 bytes of `text`, then "...".
std::string quote_json_start(std::string_view text);

}  // namespace sparring
