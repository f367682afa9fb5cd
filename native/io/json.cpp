#include "io/json.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

namespace sparring {
namespace {

// Length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), or 0.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
    if (first == 0xED && byte(1) > 0x9F) return 0;  // surrogate
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;  // overlong
    if (first == 0xF4 && byte(1) > 0x8F) return 0;  // beyond U+10FFFF
    return 4;
  }
  return 0;
}

void append_utf8(std::string& out, uint32_t point) {
  const auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6), put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12), put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18), put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void JsonReader::fail(const std::string& message) const { throw JsonError(message, at_); }

void JsonReader::skip_space() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' ||
                                text_[at_] == '\t')) {
    ++at_;
  }
}

bool JsonReader::accept(char expected) {
  skip_space();
  if (at_ >= text_.size() || text_[at_] != expected) return false;
  ++at_;
  return true;
}

void JsonReader::expect(char expected, const char* what) {
  if (!accept(expected)) fail(std::string("expected ") + what);
}

void JsonReader::read_object(const std::function<void(const std::string&)>& on_member) {
  expect('{', "an object");
  if (accept('}')) return;
  std::unordered_set<std::string> keys;
  do {
    skip_space();
    const std::string key = read_string();
    if (!keys.insert(key).second) fail("duplicate key " + quote_json_start(key));
    expect(':', "':' after a key");
    on_member(key);
  } while (accept(','));
  expect('}', "',' or '}' in an object");
}

std::vector<uint64_t> JsonReader::read_unsigned_array(std::size_t limit) {
  std::vector<uint64_t> values;
  expect('[', "an array of unsigned integers");
  if (accept(']')) return values;
  do {
    if (values.size() == limit) fail("more than " + std::to_string(limit) + " items in an array");
    values.push_back(read_unsigned());
  } while (accept(','));
  expect(']', "',' or ']' in an array");
  return values;
}

uint64_t JsonReader::read_unsigned() {
  skip_space();
  if (at_ >= text_.size() || !is_digit(text_[at_])) fail("expected an unsigned integer");
  const bool leading_zero = text_[at_] == '0';
  const std::size_t start = at_;
  uint64_t value = 0;
  for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
    const auto digit = static_cast<uint64_t>(text_[at_] - '0');
    if (value > (UINT64_MAX - digit) / 10) fail("an integer beyond 64 bits");
    value = value * 10 + digit;
  }
  if (leading_zero && at_ - start > 1) fail("an integer with a leading zero");
  return value;  // a fraction or an exponent fails at the caller, which expects ',' or ']'
}

void JsonReader::skip_value(int depth) {
  skip_space();
  if (depth == 0) fail("values nested too deep");
  const char c = at_ < text_.size() ? text_[at_] : '\0';
  if (c == '{') {
    read_object([&](const std::string&) { skip_value(depth - 1); });
  } else if (c == '[') {
    ++at_;
    if (accept(']')) return;
    do skip_value(depth - 1);
    while (accept(','));
    expect(']', "',' or ']' in an array");
  } else if (c == '"') {
    read_string();
  } else if (c == '-' || is_digit(c)) {
    skip_number();
  } else {
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return;
    }
    fail("expected a value");
  }
}

void JsonReader::skip_number() {
  const auto digits = [&] {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    if (at_ == start) fail("expected a digit");
  };
  const auto next_is = [&](std::string_view characters) { return at_ < text_.size() && characters.find(text_[at_]) != characters.npos; };
  if (next_is("-")) ++at_;
  if (next_is("0")) ++at_;  // a digit after it fails at the caller, which expects ',' or an end
  else digits();
  if (next_is(".")) ++at_, digits();
  if (next_is("eE")) {
    ++at_;
    if (next_is("+-")) ++at_;
    digits();
  }
}

std::string JsonReader::read_string() {
  expect('"', "a string");
  std::string out;
  for (;;) {
    if (at_ >= text_.size()) fail("a string that does not end");
    const char c = text_[at_];
    if (c == '"') break;
    if (c == '\\') {
      ++at_;
      read_escape(out);
    } else {
      read_utf8(out);
    }
  }
  ++at_;
  return out;
}

void JsonReader::read_utf8(std::string& out) {
  if (static_cast<unsigned char>(text_[at_]) < 0x20) fail("a control character in a string");
  const std::size_t length = utf8_length(text_, at_);
  if (length == 0) fail("bytes that are not UTF-8");
  out.append(text_, at_, length);
  at_ += length;
}

void JsonReader::read_escape(std::string& out) {
  if (at_ >= text_.size()) fail("a string that does not end");
  switch (text_[at_++]) {
    case '"': out += '"'; return;
    case '\\': out += '\\'; return;
    case '/': out += '/'; return;
    case 'b': out += '\b'; return;
    case 'f': out += '\f'; return;
    case 'n': out += '\n'; return;
    case 'r': out += '\r'; return;
    case 't': out += '\t'; return;
    case 'u': break;
    default: fail("an unknown escape");
  }
  uint32_t point = read_hex4();
  if (point >= 0xDC00 && point <= 0xDFFF) fail("a lone low surrogate");
  if (point >= 0xD800 && point <= 0xDBFF) {
    if (text_.substr(at_, 2) != "\\u") fail("a lone high surrogate");
    at_ += 2;
    const uint32_t low = read_hex4();
    if (low < 0xDC00 || low > 0xDFFF) fail("a lone high surrogate");
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(out, point);
}

uint32_t JsonReader::read_hex4() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (is_digit(c)) value = value << 4 | static_cast<uint32_t>(c - '0');
    else if (c >= 'a' && c <= 'f') value = value << 4 | static_cast<uint32_t>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') value = value << 4 | static_cast<uint32_t>(c - 'A' + 10);
    else fail("expected four hexadecimal digits");
  }
  return value;
}

void JsonReader::read_end() {
  skip_space();
  if (at_ != text_.size()) fail("text after the end of the object");
}

std::string quote_json(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) throw JsonError("bytes that are not UTF-8", at);
    const auto c = static_cast<unsigned char>(text[at]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[at];
    } else if (c < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out.append(text, at, length);
    }
    at += length;
  }
  return out + '"';
}

std::string quote_json_start(std::string_view text) {
  constexpr std::size_t kMost = 100;
  std::string shown;
  std::size_t at = 0;
  while (at < text.size() && at < kMost) {
    const auto length = utf8_length(text, at);
    if (length == 0) shown += "\xef\xbf\xbd";  // U+FFFD in place of a byte that is no character
    else shown.append(text, at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return quote_json(shown) + (at < text.size() ? "..." : "");
}

}  // namespace sparring
