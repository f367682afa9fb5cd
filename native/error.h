// The one error of the native side. It reaches JavaScript as a SparringError.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace sparring {

// `code` is one of ErrorCode in lib/errors.ts; what() says where, what was expected and what was
// found; `hint` says how to fix it (may be empty).
struct Error : std::runtime_error {
  Error(std::string code, const std::string& message, std::string hint = {})
      : std::runtime_error(message), code(std::move(code)), hint(std::move(hint)) {}

  std::string code;
  std::string hint;
};

}  // namespace sparring
