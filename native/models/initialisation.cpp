#include "models/initialisation.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace sparring {
namespace {

// The dispatch key that PyTorch sets apart for deferred initialisation (torchdistx); no kernel of its own uses it.
constexpr auto kSkip = c10::DispatchKey::DeferredInit;

at::Tensor& leave(at::Tensor& self, double, double, std::optional<at::Generator>) { return self; }

// Whether drawing can be skipped: not where another library of this process, or a second copy of this one, has the key.
bool can_skip() {
  static const bool is_ours = [] {
    if (c10::Dispatcher::singleton().hasBackendFallbackForDispatchKey(kSkip)) return false;
    // Never freed: registrations hold until the process ends.
    auto* rest = new torch::Library(torch::Library::IMPL, "_", kSkip, __FILE__, __LINE__);
    rest->fallback(torch::CppFunction::makeFallthrough());
    auto* drawing = new torch::Library(torch::Library::IMPL, "aten", kSkip, __FILE__, __LINE__);
    drawing->impl("uniform_", leave);
    drawing->impl("normal_", leave);
    return true;
  }();
  return is_ours;
}

}  // namespace

Initialisation::Initialisation(std::optional<uint64_t> seed) {
  if (seed) torch::manual_seed(*seed);
  else if (can_skip()) skip_.emplace(kSkip);
}

bool Initialisation::draws() { return !c10::impl::tls_is_dispatch_key_included(kSkip); }

}  // namespace sparring
