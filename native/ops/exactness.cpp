#include "ops/exactness.h"

#include <ATen/Context.h>

namespace sparring {

void choose_exactness() {
  auto& context = at::globalContext();
  context.setDeterministicCuDNN(true);
  allow_inexact(false);
  context.setDeterministicFillUninitializedMemory(false);  // it finds bugs of others, at the price of writing all memory twice
  context.setAllowTF32CuDNN(false);
}

void allow_inexact(bool allowed) { at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/allowed); }

bool inexact_is_allowed() { return at::globalContext().deterministicAlgorithmsWarnOnly(); }

}  // namespace sparring
