// Entry point of the core library: the thin loader calls sparring_core_register once per environment.
#include <mutex>

#include <unistd.h>

#include <torch/torch.h>

#include "node/api.h"
#include "node/values.h"
#include "ops/cpu/caching_allocator.h"
#include "ops/exactness.h"
#include "ops/precision.h"

namespace sparring::node {

void Api::add_async(const char* name, size_t control, Parse parse) {
  exports_.Set(name, Napi::Function::New(env_, [session = session_, control, parse = std::move(parse)](const Napi::CallbackInfo& info) -> Napi::Value {
    try {
      return session->submit(info.Env(), info[control], parse(info));
    } catch (...) {
      const auto deferred = Napi::Promise::Deferred::New(info.Env());
      deferred.Reject(to_js(info.Env(), current_error()));
      return deferred.Promise();
    }
  }, name));
}

void Api::add_sync(const char* name, Call call) {
  exports_.Set(name, Napi::Function::New(env_, [call = std::move(call)](const Napi::CallbackInfo& info) -> Napi::Value {
    try {
      return call(info);
    } catch (...) {
      throw Napi::Error(info.Env(), to_js(info.Env(), current_error()));
    }
  }, name));
}

namespace {

void register_process(Api& api) {
  api.add_sync("info", [](const Napi::CallbackInfo& info) -> Napi::Value {
    auto result = Napi::Object::New(info.Env());
    result.Set("libtorch", TORCH_VERSION);
    result.Set("cuda", torch::cuda::is_available());
    result.Set("cudaDevices", static_cast<double>(torch::cuda::is_available() ? torch::cuda::device_count() : 0));
    result.Set("cpuBf16", cpu_has_bf16());
    result.Set("threads", at::get_num_threads());
    return result;
  });
  api.add_sync("createToken", [](const Napi::CallbackInfo& info) -> Napi::Value {
    return wrap(info.Env(), std::make_shared<std::atomic<bool>>(false));
  });
  api.add_sync("cancel", [](const Napi::CallbackInfo& info) -> Napi::Value {
    unwrap<std::atomic<bool>>(info[0], "token")->store(true);
    return info.Env().Undefined();
  });
  api.add_sync("dispose", [](const Napi::CallbackInfo& info) -> Napi::Value {
    if (!info[0].IsExternal()) throw Error("usage", "dispose: expected a model or a trainer but received something else.");
    info[0].As<Napi::External<HandleBase>>().Data()->dispose();
    cpu::give_back_kept_memory();  // what comes next has other sizes
    return info.Env().Undefined();
  });
  // tensorMemory() -> {inUse, kept, most, asked}: bytes, see ops/cpu/caching_allocator.h
  api.add_sync("tensorMemory", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const auto memory = cpu::tensor_memory();
    auto result = Napi::Object::New(info.Env());
    for (const auto& [name, bytes] : {std::pair{"inUse", memory.in_use}, {"kept", memory.kept}, {"most", memory.most}, {"asked", memory.asked}}) result.Set(name, static_cast<double>(bytes));
    return result;
  });
  api.add_async("setThreads", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto threads = info[0].As<Napi::Number>().Int32Value();
    return [threads](const JobContext&) -> Finish {
      at::set_num_threads(threads);
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });
}

// The main thread alone ends the process; that of a worker is joined before.
void prepare_exit(Napi::Env env) {
  if (::gettid() != ::getpid()) return;
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto on_exit = Napi::Function::New(env, [](const Napi::CallbackInfo&) { Engine::instance().exit_at_once_when_busy(); });
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), on_exit});
}

}  // namespace
}  // namespace sparring::node

extern "C" __attribute__((visibility("default"))) napi_value sparring_core_register(napi_env raw_env, napi_value raw_exports) {
  using namespace sparring::node;
  const Napi::Env env(raw_env);
  try {
    static std::once_flag once;
    std::call_once(once, sparring::cpu::use_caching_allocator);
    sparring::choose_exactness();
    Api api(env, Napi::Object(raw_env, raw_exports), Session::create(env));
    register_process(api);
    register_models(api);
    register_clip(api);
    register_training(api);
    register_generation(api);
    register_conditions(api);
    register_autoencoders(api);
    register_lpips(api);
    register_attacks(api);
    register_corruptions(api);
    register_examination(api);
    register_inspection(api);
    register_view_inspection(api);
    register_attack_inspection(api);
    register_diffusion_inspection(api);
    register_norm_inspection(api);
    register_convolution_inspection(api);
    register_batch_convolution_inspection(api);
    prepare_exit(env);
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();
  }
  return raw_exports;
}
