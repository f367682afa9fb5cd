// Checks of the options of a network. They also come from the description in a weights file, which may say anything.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "error.h"

namespace sparring::node {

inline void require(bool fits, const std::string& problem) {
  if (!fits) throw Error("config", "Network: " + problem, "The options of the network are wrong, or the file that describes it is damaged.");
}

constexpr int64_t kMaxSize = 1 << 14;  // of any one dimension: channels, pixels, classes

inline bool in_range(int64_t value, int64_t most = kMaxSize) { return value >= 1 && value <= most; }

inline bool all_in_range(const std::vector<int64_t>& values, int64_t most = kMaxSize) {
  return !values.empty() && values.size() <= 8 && std::all_of(values.begin(), values.end(), [most](int64_t v) { return in_range(v, most); });
}

}  // namespace sparring::node
