#include "loader/resample_api.h"

#include "images/resample.h"

namespace sparring::images {
namespace {

// Reads and writes memory of JavaScript's. That of the pixels is given back at once where all of it is theirs: one decoded image after the other would
// otherwise wait for the garbage collector, which would come for nothing else.
class ResampleWorker : public Napi::AsyncWorker {
 public:
  ResampleWorker(Napi::Uint8Array pixels, const Axis& down, const Axis& across, Kernel kernel)
      : AsyncWorker(pixels.Env()),
        deferred_(Napi::Promise::Deferred::New(Env())),
        pixels_(Napi::Persistent(pixels)),
        result_(Napi::Persistent(Napi::Uint8Array::New(Env(), down.count * across.count * 3))),
        in_(pixels.Data()),
        out_(result_.Value().Data()),
        down_(down),
        across_(across),
        kernel_(kernel) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { resample(in_, down_, across_, kernel_, out_); }
  void OnOK() override {
    deferred_.Resolve(result_.Value());
    const auto pixels = pixels_.Value();
    if (pixels.ByteLength() == pixels.ArrayBuffer().ByteLength()) napi_detach_arraybuffer(Env(), pixels.ArrayBuffer());
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  Napi::Reference<Napi::Uint8Array> pixels_, result_;
  const uint8_t* in_;
  uint8_t* out_;
  Axis down_, across_;
  Kernel kernel_;
};

Axis axis(const Napi::Object& options, const char* key) {
  const auto object = options.Get(key).As<Napi::Object>();
  const auto at = [&](const char* name) { return object.Get(name).As<Napi::Number>().Int64Value(); };
  const Axis axis{at("length"), at("start"), at("from"), at("to"), at("first"), at("count")};
  if (axis.start < 0 || axis.from < 1 || axis.start + axis.from > axis.length || axis.first < 0 || axis.count < 1 || axis.first + axis.count > axis.to)
    throw Napi::RangeError::New(options.Env(), std::string("resample: ") + key + " does not lie within the image.");
  return axis;
}

}  // namespace

Napi::Value resample_async(const Napi::CallbackInfo& info) {
  const auto pixels = info[0].As<Napi::Uint8Array>();
  const auto options = info[1].As<Napi::Object>();
  const auto down = axis(options, "down"), across = axis(options, "across");
  const auto kernel = kernel_named(options.Get("kernel").As<Napi::String>());
  if (!kernel) throw Napi::RangeError::New(info.Env(), "resample: no such kernel.");
  if (static_cast<int64_t>(pixels.ByteLength()) != down.length * across.length * 3)
    throw Napi::RangeError::New(info.Env(), "resample: the pixels are not those of an image of this size.");
  auto* worker = new ResampleWorker(pixels, down, across, *kernel);
  worker->Queue();  // it deletes itself
  return worker->promise();
}

}  // namespace sparring::images
