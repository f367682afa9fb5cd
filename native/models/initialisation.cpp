#include "models/initialisation.h"

#include <torch/library.h>

// The dispatch key is the one that PyTorch sets apart for deferred initialisation (torchdistx); no kernel of its own uses it.
constexpr auto kSkip = c10::DispatchKey::DeferredInit;

namespace sparring {
namespace {

at::Tensor& leave(at::Tensor& self, double, double, std::optional<at::Generator>) { return self; }

TORCH_LIBRARY_IMPL(_, DeferredInit, library) { library.fallback(torch::CppFunction::makeFallthrough()); }

TORCH_LIBRARY_IMPL(aten, DeferredInit, library) {
  library.impl("uniform_", leave);
  library.impl("normal_", leave);
}

}  // namespace

Initialisation::Initialisation(std::optional<uint64_t> seed) {
  if (seed) torch::manual_seed(*seed);
  else skip_.emplace(kSkip);
}

bool Initialisation::draws() { return !c10::impl::tls_is_dispatch_key_included(kSkip); }

}  // namespace sparring
