// Readers of the options of noise schedules, samplers and U-Nets.
#pragma once

#include <napi.h>

#include "diffusion/sampler.h"
#include "models/unet.h"

namespace sparring::node {

NoiseScheduleOptions schedule_options(const Napi::Object& options);  // {trainTimesteps, betas, betaStart, betaEnd, ...}
SamplerOptions sampler_options(const Napi::Object& options);         // {kind, steps, spacing, eta, variance, strength}
PredictionType prediction_type(const Napi::Object& options);         // "epsilon" | "v" | "x0" under key "prediction"
UNetOptions unet_options(const Napi::Object& options);               // {channels, blockChannels, attention, heads, ...}

}  // namespace sparring::node
