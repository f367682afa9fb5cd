// Readers of the options of noise schedules, samplers and U-Nets.
#pragma once

#include <napi.h>

#include "diffusion/denoiser.h"

namespace sparring::node {

NoiseScheduleOptions schedule_options(const Napi::Object& options);  // {trainTimesteps, betas, betaStart, betaEnd, ...}
SamplerKind sampler_kind(const Napi::Object& options, const char* key);
SamplerOptions sampler_options(const Napi::Object& options);         // {kind, steps, spacing, eta, variance, strength}
PredictionType prediction_type(const Napi::Object& options);         // "epsilon" | "v" | "x0" under key "prediction"
DenoiserOptions denoiser_options(const Napi::Object& options);       // {unet, schedule, prediction, spacing, variance, clip, ...}
UNetOptions unet_options(const Napi::Object& options);               // {channels, blockChannels, attention, heads, ...}

}  // namespace sparring::node
