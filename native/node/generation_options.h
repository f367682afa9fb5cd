// Option readers shared by generation and inspection.
#pragma once

#include <napi.h>

#include "guidance/generator.h"

namespace sparring::node {

Objective objective_options(const Napi::Object& options);     // {form, gamma, terms}
// {steps, sampler, eta, guidanceScale, precision, start}; spacing and variance are those of the generator
SamplingOptions sampling_options(const Napi::Object& options, const Denoiser& denoiser);
// {images}: one for each of `count` samples, [count, H, W, 3] uint8, where sampling starts from images; else undefined
at::Tensor start_images(const Napi::Object& options, const SamplingOptions& sampling, const Denoiser& denoiser, int64_t count);
CutoutOptions cutout_options(const Napi::Object& options);    // {count, leastSide, noise}
GradientPath gradient_path(const Napi::Object& options, const Denoiser& denoiser);  // {gradient, latentPool, decoder?}; nothing is pooled in pixels
ChainLoss chain_loss(const Napi::Object& options, const Denoiser& denoiser);        // {cutouts, lastPredictions, predictionWeights, decoder?}; the objective is its default
// guidance {rate, radius, remaining, span} and prototypes {global, local}
PrototypeGuidanceOptions prototype_guidance(const Napi::Object& options, const Denoiser& denoiser);
using GuidanceOptions = decltype(GenerateOptions::guidance);
// {guidance, guidanceScale}, and {prototypes} for guidance by them
GuidanceOptions guidance_options(const Napi::Object& options, const Denoiser& denoiser);
Opponents opponents(const Napi::Value& value);                // {teacher?, student?}
void require_same_inputs(const Denoiser& denoiser, const Opponents& opponents);  // throws where they do not fit the generator
Opponents both_opponents(const Napi::Value& value, const Denoiser& denoiser);  // {teacher, student} that fit the generator
Opponents with_teacher(const Napi::Value& value, const Denoiser& denoiser);    // {teacher, student?} that fit the generator

}  // namespace sparring::node
