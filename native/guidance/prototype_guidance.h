// Guidance by prototypes: DistDiff (Zhu et al. 2024, arXiv 2403.06741). At one step of the run x is moved, channel by channel, so
// that the predicted images come nearer to what images of their class are like in the features of a classifier.
//
//   x' = (1 + s) x + b                            s, b per image and channel, at first s ~ U(0, 1) and b ~ N(0, 1)
//   E  = mean over the next steps from x' of |f - p| + |f - q|
//                                                 f: features of the predicted image, p: the prototype of its class, q: that of
//                                                 the class's local prototypes which is nearest to f; all unit vectors
//   s, b  <-  s, b - rate dE/d(s, b)
//   x  <-  (1 + s) x + b, clamped to x - radius..x + radius
#pragma once

#include <vector>

#include "diffusion/denoiser.h"
#include "models/classifier.h"

namespace sparring {

// Unit vectors.
struct Prototypes {
  at::Tensor global;  // [K, D], of each class
  at::Tensor local;   // [K, L, D], of the parts of each class
};

struct PrototypeGuidanceOptions {
  Prototypes prototypes;
  double rate = 10;
  double radius = 0.2;
  double remaining = 0.4;  // share of the steps of a whole run that is left when x is moved
  int64_t span = 2;        // steps whose predicted images count
};

// s and b, [B, C, 1, 1] each.
struct ChannelPerturbation {
  at::Tensor scale, bias;
  at::Tensor operator()(const at::Tensor& x) const { return (1 + scale) * x + bias; }
};

// What they are at first: it depends on the seed of an image alone.
ChannelPerturbation draw_perturbation(const std::vector<int64_t>& seeds, int64_t channels, at::Device device);

// features: [B, D] of any length, classes: [B] int64 -> |f - p| + |f - q|, [B]
at::Tensor prototype_distance(const Prototypes& prototypes, const at::Tensor& features, const at::Tensor& classes);

// Which step of a run of `count` is guided, where a whole run has `whole` steps.
size_t guided_step(const PrototypeGuidanceOptions& options, size_t count, int64_t whole);

struct PrototypeGradient {
  at::Tensor energy;           // E, [B]
  ChannelPerturbation values;  // dE/ds, dE/db
};

// At x_t before step `index` of the run, in which `shifts` are added to the conditions. The steps between are those of DDIM without noise, whatever the sampler.
PrototypeGradient prototype_gradient(Denoiser& denoiser, Classifier& guide, const PrototypeGuidanceOptions& options, const at::Tensor& x_t,
                                     const ChannelPerturbation& perturbation, const std::vector<SamplingStep>& steps, size_t index,
                                     const at::Tensor& classes, double guidance_scale, at::ScalarType dtype, const ConditionShifts& shifts = {});

// What the run goes on with instead of x_t, for a gradient at `perturbation`.
at::Tensor moved(const PrototypeGuidanceOptions& options, const at::Tensor& x_t, const ChannelPerturbation& perturbation, const PrototypeGradient& gradient);

}  // namespace sparring
