#include "io/key_names.h"

#include <algorithm>
#include <optional>

#include "error.h"

namespace sparring {
namespace {

std::vector<std::string> split(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '.') parts.emplace_back();
    else parts.back() += c;
  }
  return parts;
}

// What the stars of `pattern` stand for in `name`; nothing if it does not match.
std::optional<std::vector<std::string>> match(const std::string& pattern, const std::string& name) {
  const auto expected = split(pattern), found = split(name);
  if (expected.size() != found.size()) return std::nullopt;
  std::vector<std::string> stars;
  for (size_t i = 0; i < found.size(); ++i) {
    if (expected[i] == "*") stars.push_back(found[i]);
    else if (expected[i] != found[i]) return std::nullopt;
  }
  return stars;
}

std::string fill(const std::string& pattern, const std::vector<std::string>& stars) {
  std::string name;
  size_t next = 0;
  for (const char c : pattern) {
    if (c == '*' && next < stars.size()) name += stars[next++];
    else name += c;
  }
  return name;
}

}  // namespace

KeySource source_of(const KeyNames& names, const std::string& ours) {
  for (const auto& rule : names.rules) {
    const auto stars = match(rule.ours, ours);
    if (!stars) continue;
    KeySource source{{}, rule.layout};
    for (const auto& theirs : rule.theirs) source.names.push_back(names.section + fill(theirs, *stars));
    return source;
  }
  return {{names.section + ours}};
}

bool is_ignored(const KeyNames& names, const std::string& theirs) {
  if (!theirs.starts_with(names.section)) return true;
  const auto name = theirs.substr(names.section.size());
  return std::any_of(names.ignored.begin(), names.ignored.end(), [&](const std::string& beginning) { return name.starts_with(beginning); });
}

std::vector<int64_t> KeySource::part_sizes(at::IntArrayRef sizes) const {
  auto result = sizes.vec();
  if (layout == Layout::transposed) std::reverse(result.begin(), result.end());
  if (layout == Layout::squeezed) result.erase(result.begin(), std::find_if(result.begin(), result.end(), [](int64_t size) { return size != 1; }));
  if (layout == Layout::convolution) result.insert(result.end(), {1, 1});
  const auto parts = static_cast<int64_t>(names.size());
  if (parts == 1) return result;
  if (parts == 0 || result.empty() || result.front() % parts != 0) {
    throw Error("weights", c10::str("Names of weights: a tensor of shape ", sizes, " is not the sum of ", parts, " equal parts."), "Correct the table of names.");
  }
  result.front() /= parts;
  return result;
}

at::Tensor KeySource::assemble(const std::vector<at::Tensor>& parts, at::IntArrayRef sizes) const {
  const auto whole = parts.size() > 1 ? at::cat(parts) : parts.front();
  return (layout == Layout::transposed ? whole.t() : whole).reshape(sizes);
}

}  // namespace sparring
