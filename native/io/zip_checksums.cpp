#include "io/zip_checksums.h"

#include <array>
#include <cstdint>

namespace sparring {
namespace {

constexpr std::string_view kEndMark = "PK\x05\x06", kDirectoryMark = "PK\x01\x02", kRecordMark = "PK\x03\x04";
constexpr std::size_t kEndBytes = 22, kDirectoryBytes = 46, kRecordBytes = 30;  // without names and comments
constexpr uint32_t kElsewhere = 0xFFFFFFFF;                                     // the number is in a ZIP64 field

// Little-endian.
uint32_t number(std::string_view bytes, std::size_t at, std::size_t width) {
  uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

// A part of the archive; empty when it is not all there.
std::string_view part(std::string_view archive, uint64_t begin, uint64_t count) {
  return begin <= archive.size() && count <= archive.size() - begin ? archive.substr(begin, count) : std::string_view{};
}

std::string_view header(std::string_view archive, uint64_t begin, std::size_t count, std::string_view mark) {
  const auto bytes = part(archive, begin, count);
  return bytes.starts_with(mark) ? bytes : std::string_view{};
}

uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> result{};
    for (uint32_t i = 0; i < 256; ++i) {
      auto value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0xEDB88320u : 0u);
      result[i] = value;
    }
    return result;
  }();
  auto crc = 0xFFFFFFFFu;
  for (const unsigned char byte : bytes) crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

}  // namespace

std::optional<std::string> damaged_record(std::string_view archive) {
  const auto end = archive.rfind(kEndMark);
  if (end == std::string_view::npos || archive.size() - end < kEndBytes) return std::nullopt;
  const auto records = number(archive, end + 10, 2);
  uint64_t at = number(archive, end + 16, 4);
  if (at == kElsewhere) return std::nullopt;
  for (uint32_t i = 0; i < records; ++i) {
    const auto entry = header(archive, at, kDirectoryBytes, kDirectoryMark);
    if (entry.empty()) return "the directory";
    const auto name_bytes = number(entry, 28, 2), size = number(entry, 20, 4), begin = number(entry, 42, 4);
    const std::string name(part(archive, at + kDirectoryBytes, name_bytes));
    at += kDirectoryBytes + name_bytes + number(entry, 30, 2) + number(entry, 32, 2);
    if (number(entry, 10, 2) != 0 || size == kElsewhere || begin == kElsewhere) continue;
    const auto record = header(archive, begin, kRecordBytes, kRecordMark);
    if (record.empty()) return name;
    const auto content = part(archive, begin + kRecordBytes + number(record, 26, 2) + number(record, 28, 2), size);
    if (content.size() != size || crc32(content) != number(entry, 16, 4)) return name;
  }
  return std::nullopt;
}

}  // namespace sparring
