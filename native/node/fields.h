// Results that are tensors by name: an object of flat Float32Arrays in JavaScript.
#pragma once

#include <utility>
#include <vector>

#include "node/api.h"
#include "node/values.h"

namespace sparring::node {

using Fields = std::vector<std::pair<const char*, at::Tensor>>;

inline Finish finish_fields(Fields fields) {
  return [fields = std::move(fields)](Napi::Env env) -> Napi::Value {
    auto result = Napi::Object::New(env);
    for (const auto& [name, tensor] : fields) result.Set(name, to_float32_array(env, tensor));
    return result;
  };
}

}  // namespace sparring::node
