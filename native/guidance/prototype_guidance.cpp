#include "guidance/prototype_guidance.h"

#include <algorithm>
#include <cmath>

#include "diffusion/ddim.h"
#include "error.h"
#include "ops/random.h"

namespace sparring {
namespace {

at::Tensor unit(const at::Tensor& features) { return features / features.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12); }

}  // namespace

ChannelPerturbation draw_perturbation(const std::vector<int64_t>& seeds, int64_t channels, at::Device device) {
  const auto count = static_cast<int64_t>(seeds.size());
  auto scale = at::empty({count, channels, 1, 1}, at::kFloat);
  auto* values = scale.data_ptr<float>();
  for (int64_t i = 0; i < count; ++i) {
    const CounterRng rng(static_cast<uint64_t>(seeds[i]), Stream::perturbation, /*step=*/0);
    for (int64_t c = 0; c < channels; ++c) values[i * channels + c] = static_cast<float>(rng.uniform(c));
  }
  return {scale.to(device), seeded_normal(seeds, {channels, 1, 1}, Stream::perturbation, /*step=*/1).to(device)};
}

at::Tensor prototype_distance(const Prototypes& prototypes, const at::Tensor& features, const at::Tensor& classes) {
  if (features.size(1) != prototypes.global.size(1)) {
    throw Error("usage", c10::str("prototypes: expected vectors of the ", features.size(1), " features of the teacher, found ", prototypes.global.size(1), " numbers each."));
  }
  const auto f = unit(features);
  const auto global = prototypes.global.index_select(0, classes);        // [B, D]
  const auto candidates = prototypes.local.index_select(0, classes);     // [B, L, D]
  const auto nearest = at::matmul(candidates, f.detach().unsqueeze(2)).argmax(1, /*keepdim=*/true);  // [B, 1, 1]
  const auto local = candidates.gather(1, nearest.expand({-1, 1, f.size(1)})).squeeze(1);            // [B, D]
  return (f - global).norm(2, 1) + (f - local).norm(2, 1);
}

size_t guided_step(const PrototypeGuidanceOptions& options, size_t count, int64_t whole) {
  const auto remaining = std::max<int64_t>(std::llround(options.remaining * static_cast<double>(whole)), 1);
  return count - std::min<size_t>(count, static_cast<size_t>(remaining));
}

PrototypeGradient prototype_gradient(Denoiser& denoiser, Classifier& guide, const PrototypeGuidanceOptions& options, const at::Tensor& x_t,
                                     const ChannelPerturbation& perturbation, const std::vector<SamplingStep>& steps, size_t index,
                                     const at::Tensor& classes, double guidance_scale, at::ScalarType dtype, const ConditionShifts& shifts) {
  torch::AutoGradMode grad(true);
  const ChannelPerturbation leaves{perturbation.scale.detach().clone().requires_grad_(true), perturbation.bias.detach().clone().requires_grad_(true)};
  const auto end = std::min(index + static_cast<size_t>(options.span), steps.size());
  auto x = leaves(x_t.detach());
  auto energy = at::zeros({x_t.size(0)}, x_t.options());
  for (auto i = index; i < end; ++i) {
    auto prediction = denoiser.predict(x, place_of(steps[i]), classes, guidance_scale, dtype, shift_at(shifts, i));
    prediction.x0 = denoiser.clip(prediction.x0);
    const auto pixels = (denoiser.to_images(prediction.x0, dtype) + 1) / 2;  // classifiers take 0..1
    energy = energy + prototype_distance(options.prototypes, guide.features_frozen(pixels, dtype), classes);
    if (i + 1 < end) x = ddim_step(prediction, steps[i].next_alpha_bar);
  }
  energy = energy / static_cast<double>(end - index);
  const auto gradients = torch::autograd::grad({energy.sum()}, {leaves.scale, leaves.bias});
  return {energy.detach(), {gradients[0], gradients[1]}};
}

at::Tensor moved(const PrototypeGuidanceOptions& options, const at::Tensor& x_t, const ChannelPerturbation& perturbation, const PrototypeGradient& gradient) {
  const auto& [scale, bias] = gradient.values;
  const ChannelPerturbation stepped{perturbation.scale - options.rate * scale, perturbation.bias - options.rate * bias};
  return at::min(at::max(stepped(x_t), x_t - options.radius), x_t + options.radius);
}

}  // namespace sparring
