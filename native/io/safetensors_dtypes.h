// The element types of safetensors. Internal to native/io.
#pragma once

#include <string_view>

#include <c10/core/ScalarType.h>

namespace sparring {

struct SafetensorsDtype {
  std::string_view name;
  c10::ScalarType type;
  bool writable;
};

// In the order in which the reference sorts data: by alignment, largest first.
inline constexpr SafetensorsDtype kSafetensorsDtypes[] = {
    {"I64", c10::ScalarType::Long, true},           {"F64", c10::ScalarType::Double, true},
    {"F32", c10::ScalarType::Float, true},          {"I32", c10::ScalarType::Int, true},
    {"BF16", c10::ScalarType::BFloat16, true},      {"F16", c10::ScalarType::Half, true},
    {"I16", c10::ScalarType::Short, true},          {"F8_E4M3", c10::ScalarType::Float8_e4m3fn, false},
    {"F8_E5M2", c10::ScalarType::Float8_e5m2, false}, {"I8", c10::ScalarType::Char, true},
    {"U8", c10::ScalarType::Byte, true},            {"BOOL", c10::ScalarType::Bool, true},
};

}  // namespace sparring
