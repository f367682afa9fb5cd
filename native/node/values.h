// Reading JavaScript values and building them. Options arrive complete (lib/config fills in defaults), so a missing
// or mistyped field is an error of the caller and is named.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <napi.h>
#include <torch/torch.h>

#include "error.h"

namespace sparring::node {

double number(const Napi::Object& object, const char* key);
int64_t integer(const Napi::Object& object, const char* key);
bool boolean(const Napi::Object& object, const char* key);
std::string text(const Napi::Object& object, const char* key);
Napi::Object object(const Napi::Object& object, const char* key);
std::optional<uint64_t> seed(const Napi::Object& object);                    // under key "seed"; null: see models/initialisation.h
std::vector<int64_t> integers(const Napi::Object& object, const char* key);  // array or typed array
at::ScalarType precision(const Napi::Object& object, const char* key = "precision");  // "fp32" | "bf16"
at::Device device(const Napi::Object& object);                               // "cpu" | "cuda" | "cuda:1" under key "device"

// Uint8Array of length B * size * size * 3 -> [B, size, size, 3], copied.
at::Tensor images(const Napi::Value& value, int64_t size);
// Float32Array -> tensor of the given shape (one dimension may be -1), copied.
at::Tensor floats(const Napi::Value& value, at::IntArrayRef shape);
// Int32Array -> [B] int64; values must lie in [0, limit).
at::Tensor labels(const Napi::Value& value, int64_t limit);

Napi::Value to_float32_array(Napi::Env env, const at::Tensor& tensor);  // null for an undefined tensor
Napi::Value to_uint8_array(Napi::Env env, const at::Tensor& tensor);

// A native object behind an opaque JavaScript handle; empty after dispose().
struct HandleBase {
  virtual ~HandleBase() = default;
  virtual void dispose() = 0;
};

template <typename T>
struct Handle : HandleBase {
  explicit Handle(std::shared_ptr<T> value) : value(std::move(value)) {}
  void dispose() override { value.reset(); }
  std::shared_ptr<T> value;
};

template <typename T>
Napi::Value wrap(Napi::Env env, std::shared_ptr<T> value) {
  return Napi::External<HandleBase>::New(env, new Handle<T>(std::move(value)), [](Napi::Env, HandleBase* handle) { delete handle; });
}

inline std::string with_article(const std::string& noun) {
  return (std::string("aeiou").find(noun[0]) == std::string::npos ? "a " : "an ") + noun;
}

template <typename T>
std::shared_ptr<T> unwrap(const Napi::Value& value, const char* kind) {
  auto* base = value.IsExternal() ? value.As<Napi::External<HandleBase>>().Data() : nullptr;
  auto* handle = dynamic_cast<Handle<T>*>(base);
  if (!handle) throw Error("usage", "Expected " + with_article(kind) + " but received something else.");
  if (!handle->value) throw Error("disposed", std::string("This ") + kind + " has been disposed.");
  return handle->value;
}

}  // namespace sparring::node
