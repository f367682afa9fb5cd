// sparring.node, the thin half of the addon. It links no LibTorch, so it loads on any machine and can
// say what is missing; LibTorch and the core library are opened on demand, by absolute path. It also resamples images, as datasets are
// read where there is no LibTorch.
//
//   builtFor: string                          the LibTorch version the addon was compiled for
//   load({ libDir, core, cuda, kernels? }): object
//                                             opens LibTorch and the core, returns the core's exports; with CUDA also the
//                                             kernels for it (libsparring_cuda.so), which the core does without
//   libDir(): string                          of the LibTorch that is mapped, even if load() failed afterwards; '' if none is
//   kernels(): { loaded, problem }            whether those were opened, and if they were tried and not, why
//   resample(pixels, options)                 see loader/resample_api.h
//
// The core finds its LibTorch symbols because its NEEDED entries (libtorch_cpu.so, libc10.so) match the
// SONAMEs of libraries that are already mapped. RTLD_LOCAL keeps LibTorch's bundled libuv and protobuf
// out of everybody else's way; RTLD_DEEPBIND would break RTTI and the allocators, so it is never used.
#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>

#include <napi.h>

#include "loader/resample_api.h"
#include "ops/cuda_interface.h"

namespace {

using AbiVersion = uint64_t (*)();                                // bytes from the top: major, minor, patch
using RegisterCore = napi_value (*)(napi_env env, napi_value exports);

struct LoadError {
  std::string message;
  std::string hint;
};

// What this process has opened. Libraries are never closed: LibTorch does not survive dlclose.
struct OpenLibraries {
  std::mutex mutex;
  std::string libDir;  // of the first library that was mapped; two LibTorch folders in one process never mix
  bool ready = false;  // LibTorch is open, of the right version, with CUDA if it was asked for
  bool cuda = false;
  std::string version;          // of LibTorch
  bool kernels = false;         // they are open and known to LibTorch
  std::string kernelsProblem;   // why they are not, if they were tried
  RegisterCore registerCore = nullptr;
};

OpenLibraries& openLibraries() {
  static auto* libraries = new OpenLibraries;  // leaked on purpose: worker threads may outlive main's statics
  return *libraries;
}

void* open(const std::string& path, const std::string& hint) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw LoadError{"Cannot open " + path + ": " + dlerror(), hint};
  return handle;
}

std::string majorMinor(const std::string& version) {
  return version.substr(0, version.find('.', version.find('.') + 1));
}

// LibTorch promises no C++ ABI across minor versions, so the core must not even be opened against another one.
// Returns the version.
std::string checkVersion(void* libtorchCpu, const std::string& libDir) {
  const std::string builtFor = SPARRING_LIBTORCH_VERSION;
  const char* skip = std::getenv("SPARRING_SKIP_VERSION_CHECK");
  if (skip != nullptr && std::string(skip) == "1") return builtFor;

  const std::string hint = "Install the matching version with `npx sparring libtorch install`, or rebuild the addon "
                           "against this one with `npm run build`.";
  auto abiVersion = reinterpret_cast<AbiVersion>(dlsym(libtorchCpu, "aoti_torch_abi_version"));
  if (abiVersion == nullptr)
    throw LoadError{"LibTorch in " + libDir + " does not state its version; this addon needs " + builtFor + ".", hint};

  const uint64_t packed = abiVersion();
  const std::string found = std::to_string(packed >> 56 & 0xff) + "." + std::to_string(packed >> 48 & 0xff) + "." +
                            std::to_string(packed >> 40 & 0xff);
  if (majorMinor(found) != majorMinor(builtFor))
    throw LoadError{"LibTorch in " + libDir + " is version " + found + "; this addon was built for " + builtFor + ".",
                    hint};
  return found;
}

void openLibTorch(OpenLibraries& libraries, const std::string& libDir, bool cuda) {
  if (!libraries.libDir.empty() && libraries.libDir != libDir)
    throw LoadError{"LibTorch is already open from " + libraries.libDir + "; a process can use only one, not also " +
                        libDir + ".",
                    "Use one LibTorch per process, or start a second process."};
  if (libraries.ready) {
    // LibTorch looks for its CUDA half once, at first use; opened later it would go unnoticed.
    if (cuda && !libraries.cuda)
      throw LoadError{"LibTorch is already open in this process without CUDA.",
                      "Ask for CUDA the first time the addon is loaded in a process."};
    return;
  }
  const std::string hint = "Check this LibTorch with `npx sparring doctor`, or get one with `npx sparring libtorch "
                           "install`.";
  open(libDir + "/libc10.so", hint);
  libraries.libDir = libDir;
  void* libtorchCpu = open(libDir + "/libtorch_cpu.so", hint);
  libraries.version = checkVersion(libtorchCpu, libDir);
  if (cuda) {
    // Without a workspace of its own, cuBLAS may give other bits when run again. Here, because what a worker writes to
    // process.env stays in JavaScript.
    setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    const std::string cudaHint = "Use a LibTorch with CUDA (an installed PyTorch, or `npx sparring libtorch install "
                                 "--variant cu130`) and a working NVIDIA driver, or run with --device cpu.";
    open(libDir + "/libc10_cuda.so", cudaHint);
    open(libDir + "/libtorch_cuda.so", cudaHint);
  }
  libraries.cuda = cuda;
  libraries.ready = true;
}

void openCore(OpenLibraries& libraries, const std::string& core) {
  if (libraries.registerCore != nullptr) return;
  const std::string hint = "Build the addon again with `npm run build`, or reinstall the package.";
  void* handle = open(core, hint);
  libraries.registerCore = reinterpret_cast<RegisterCore>(dlsym(handle, "sparring_core_register"));
  if (libraries.registerCore == nullptr)
    throw LoadError{core + " is not a sparring core library: it has no sparring_core_register.", hint};
}

// They are given to LibTorch under names that the core has given. A library that does not fit this LibTorch, or this GPU, costs
// speed alone.
void openKernels(OpenLibraries& libraries, const std::string& kernels) {
  if (libraries.kernels || !libraries.cuda || kernels.empty()) return;
  void* handle = dlopen(kernels.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    libraries.kernelsProblem = dlerror();
    return;
  }
  const auto registerCuda = reinterpret_cast<sparring::RegisterCuda>(dlsym(handle, sparring::kRegisterCuda));
  const char* problem = registerCuda == nullptr ? "it is of an older build" : registerCuda(libraries.version.c_str(), sparring::kCudaInterface);
  libraries.kernels = problem == nullptr;
  libraries.kernelsProblem = problem == nullptr ? "" : kernels + ": " + problem;
}

// The core's exports in one JavaScript environment (the main thread or a worker). It is not kept as Node-API
// instance data, because the core runs in the same napi_env and may want that slot.
struct EnvironmentState {
  Napi::ObjectReference core;
};

Napi::Value load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* state = static_cast<EnvironmentState*>(info.Data());
  if (info.Length() != 1 || !info[0].IsObject()) throw Napi::TypeError::New(env, "Expected { libDir, core, cuda, kernels? }.");
  const auto options = info[0].As<Napi::Object>();
  const Napi::Value libDir = options.Get("libDir"), core = options.Get("core"), cuda = options.Get("cuda"),
                    kernels = options.Get("kernels");
  if (!libDir.IsString() || !core.IsString() || !cuda.IsBoolean() || !(kernels.IsString() || kernels.IsUndefined()))
    throw Napi::TypeError::New(env, "Expected { libDir: string, core: string, cuda: boolean, kernels?: string }.");

  auto& libraries = openLibraries();
  try {
    const std::lock_guard<std::mutex> lock(libraries.mutex);
    openLibTorch(libraries, libDir.As<Napi::String>(), cuda.As<Napi::Boolean>());
    openCore(libraries, core.As<Napi::String>());
    if (kernels.IsString()) openKernels(libraries, kernels.As<Napi::String>());
  } catch (const LoadError& failure) {
    auto error = Napi::Error::New(env, failure.message);
    error.Set("sparringCode", Napi::String::New(env, "environment"));
    error.Set("hint", Napi::String::New(env, failure.hint));
    throw error;
  }

  if (state->core.IsEmpty()) {
    const napi_value exports = libraries.registerCore(env, Napi::Object::New(env));
    if (env.IsExceptionPending()) throw env.GetAndClearPendingException();
    state->core = Napi::Persistent(Napi::Value(env, exports).As<Napi::Object>());
  }
  return state->core.Value();
}

Napi::Value libDir(const Napi::CallbackInfo& info) {
  auto& libraries = openLibraries();
  const std::lock_guard<std::mutex> lock(libraries.mutex);
  return Napi::String::New(info.Env(), libraries.libDir);
}

Napi::Value kernels(const Napi::CallbackInfo& info) {
  auto& libraries = openLibraries();
  const std::lock_guard<std::mutex> lock(libraries.mutex);
  auto result = Napi::Object::New(info.Env());
  result.Set("loaded", libraries.kernels);
  result.Set("problem", libraries.kernelsProblem);
  return result;
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto* state = new EnvironmentState;
  env.AddCleanupHook([state] { delete state; });  // hooks run last-in first-out: after those of the core
  exports.Set("builtFor", Napi::String::New(env, SPARRING_LIBTORCH_VERSION));
  exports.Set("load", Napi::Function::New(env, load, "load", state));
  exports.Set("libDir", Napi::Function::New(env, libDir, "libDir"));
  exports.Set("kernels", Napi::Function::New(env, kernels, "kernels"));
  exports.Set("resample", Napi::Function::New(env, sparring::images::resample_async, "resample"));
  return exports;
}

}  // namespace

NODE_API_MODULE(sparring, initialise)
