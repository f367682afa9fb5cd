// Whether a zip archive is as it was written. LibTorch's reader does not compare the checksums: a bit that has fallen
// over would be a weight of another value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sparring {

// The first record whose bytes do not have the checksum that the directory gives. Compressed records and archives of
// 4 GiB or more are not looked at; one without a directory is left to the reader, which says so.
std::optional<std::string> damaged_record(std::string_view archive);

}  // namespace sparring
