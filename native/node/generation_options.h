// Option readers shared by generation and inspection.
#pragma once

#include <napi.h>

#include "guidance/generator.h"

namespace sparring::node {

Objective objective_options(const Napi::Object& options);     // {form, gamma}
SamplingOptions sampling_options(const Napi::Object& options);  // {steps, guidanceScale, precision}
Opponents opponents(const Napi::Value& value);                // {teacher?, student?}

}  // namespace sparring::node
