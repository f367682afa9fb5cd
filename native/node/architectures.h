// The architecture of a classifier from its JavaScript description; see Architecture in lib/native/contract.ts.
#pragma once

#include <napi.h>

#include "models/architecture.h"

namespace sparring::node {

Architecture architecture(const Napi::Object& options);

}  // namespace sparring::node
