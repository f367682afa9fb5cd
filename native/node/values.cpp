#include "node/values.h"

#include <cmath>
#include <cstring>

namespace sparring::node {
namespace {

[[noreturn]] void mismatch(const char* key, const char* expected, const Napi::Value& found) {
  throw Error("usage", std::string("Native option '") + key + "': expected " + expected + " but received " +
                           found.ToString().Utf8Value() + ".");
}

}  // namespace

double number(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsNumber()) mismatch(key, "a number", value);
  return value.As<Napi::Number>().DoubleValue();
}

int64_t integer(const Napi::Object& object, const char* key) {
  const auto value = number(object, key);
  if (value != std::floor(value) || std::abs(value) > 9007199254740992.0) mismatch(key, "a whole number", object.Get(key));
  return static_cast<int64_t>(value);
}

std::optional<uint64_t> seed(const Napi::Object& object) {
  if (object.Get("seed").IsNull()) return std::nullopt;
  return static_cast<uint64_t>(integer(object, "seed"));
}

bool boolean(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsBoolean()) mismatch(key, "true or false", value);
  return value.As<Napi::Boolean>().Value();
}

std::string text(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsString()) mismatch(key, "a string", value);
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object object(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsObject()) mismatch(key, "an object", value);
  return value.As<Napi::Object>();
}

std::vector<int64_t> integers(const Napi::Object& object, const char* key) {
  const auto list = node::object(object, key);
  const Napi::Value length = list.Get("length");
  if (!length.IsNumber()) mismatch(key, "an array of numbers", list);
  std::vector<int64_t> result(length.As<Napi::Number>().Uint32Value());
  for (uint32_t i = 0; i < result.size(); ++i) {
    const Napi::Value item = list.Get(i);
    if (!item.IsNumber()) mismatch(key, "an array of numbers", item);
    result[i] = item.As<Napi::Number>().Int64Value();
  }
  return result;
}

at::ScalarType precision(const Napi::Object& object, const char* key) {
  const auto name = text(object, key);
  if (name == "fp32") return at::kFloat;
  if (name == "bf16") return at::kBFloat16;
  mismatch(key, "fp32 or bf16", object.Get(key));
}

at::Device device(const Napi::Object& object) {
  const at::Device device(text(object, "device"));
  if (device.is_cuda() && !torch::cuda::is_available()) {
    throw Error("environment", "Device 'cuda' was asked for, but this LibTorch finds no CUDA device.",
                "Use --device cpu, or install a CUDA LibTorch and check `sparring doctor`.");
  }
  if (device.is_cuda() && device.index() >= static_cast<int64_t>(torch::cuda::device_count())) {
    throw Error("environment", "Device '" + device.str() + "' was asked for, but there are " + std::to_string(torch::cuda::device_count()) + " CUDA devices.",
                "They count from cuda:0.");
  }
  return device;
}

at::Tensor images(const Napi::Value& value, int64_t size) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Error("usage", "Images must be a Uint8Array of RGB pixels.");
  }
  if (size < 1 || size > 16384) throw Error("usage", "Images: the side must be 1 to 16384 pixels, found " + std::to_string(size) + ".");
  const auto array = value.As<Napi::Uint8Array>();
  const auto per_image = size * size * 3;
  const auto length = static_cast<int64_t>(array.ElementLength());
  if (length == 0 || length % per_image != 0) {
    throw Error("usage", "Images: expected a multiple of " + std::to_string(per_image) + " bytes (" + std::to_string(size) + "x" +
                             std::to_string(size) + " RGB) but received " + std::to_string(length) + ".");
  }
  auto tensor = at::empty({length / per_image, size, size, 3}, at::kByte);
  std::memcpy(tensor.data_ptr<uint8_t>(), array.Data(), array.ElementLength());
  return tensor;
}

at::Tensor floats(const Napi::Value& value, at::IntArrayRef shape) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    throw Error("usage", "Expected a Float32Array.");
  }
  const auto array = value.As<Napi::Float32Array>();
  auto tensor = at::empty({static_cast<int64_t>(array.ElementLength())}, at::kFloat);
  std::memcpy(tensor.data_ptr<float>(), array.Data(), array.ByteLength());
  return tensor.view(shape);
}

at::Tensor labels(const Napi::Value& value, int64_t limit) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw Error("usage", "Labels must be an Int32Array.");
  }
  const auto array = value.As<Napi::Int32Array>();
  auto tensor = at::empty({static_cast<int64_t>(array.ElementLength())}, at::kLong);
  auto* data = tensor.data_ptr<int64_t>();
  for (size_t i = 0; i < array.ElementLength(); ++i) {
    data[i] = array[i];
    if (data[i] < 0 || data[i] >= limit) {
      throw Error("usage", "Label " + std::to_string(data[i]) + " at position " + std::to_string(i) + " is outside 0.." + std::to_string(limit - 1) + ".");
    }
  }
  return tensor;
}

Napi::Value to_float32_array(Napi::Env env, const at::Tensor& tensor) {
  if (!tensor.defined()) return env.Null();
  const auto source = tensor.to(at::kCPU, at::kFloat).contiguous();
  auto array = Napi::Float32Array::New(env, static_cast<size_t>(source.numel()));
  std::memcpy(array.Data(), source.const_data_ptr<float>(), array.ByteLength());
  return array;
}

Napi::Value to_uint8_array(Napi::Env env, const at::Tensor& tensor) {
  auto array = Napi::Uint8Array::New(env, static_cast<size_t>(tensor.numel()));
  std::memcpy(array.Data(), tensor.const_data_ptr<uint8_t>(), array.ByteLength());
  return array;
}

}  // namespace sparring::node
