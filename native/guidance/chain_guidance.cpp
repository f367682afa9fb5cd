#include "guidance/chain_guidance.h"

#include <algorithm>

#include "error.h"

namespace sparring {
namespace {

// Per-image L2 norm: [B, C, h, w] -> [B, 1, 1, 1]
at::Tensor norms(const at::Tensor& x) { return x.flatten(1).norm(2, 1).view({-1, 1, 1, 1}); }

// Steps [begin, end) of the chain, from the initial noise if begin is 0; differentiable with respect to x when gradients
// are on.
at::Tensor run_steps(Denoiser& denoiser, Sampler& sampler, at::Tensor x, size_t begin, size_t end, const at::Tensor& classes,
                     const SamplingOptions& sampling, const JobContext& job) {
  if (begin == 0) x = sampler.start(x);
  for (auto i = begin; i < end; ++i) {
    job.check();
    const auto& step = sampler.steps()[i];
    auto prediction = denoiser.predict(x, step.timestep, step.alpha_bar, classes, sampling.guidance_scale, sampling.dtype);
    prediction.x0 = denoiser.clip(prediction.x0);
    x = sampler.step(x, prediction, i);
  }
  return x;
}

}  // namespace

int64_t steps_per_segment(Denoiser& denoiser, int64_t memory_bytes, const Sampler& sampler, int64_t batch, const SamplingOptions& sampling) {
  const auto halves = sampling.guidance_scale == 1 ? 1 : 2;  // both halves of classifier-free guidance
  const auto per_step = batch * halves *
      denoiser.module().activation_bytes(denoiser.sample_shape().back(), static_cast<int64_t>(c10::elementSize(sampling.dtype)));
  return std::clamp<int64_t>(memory_bytes / std::max<int64_t>(per_step, 1), 1, static_cast<int64_t>(sampler.steps().size()));
}

ChainGradient chain_gradient(Denoiser& denoiser, const Opponents& opponents, const Objective& objective, Sampler& sampler,
                             const at::Tensor& z, const at::Tensor& classes, const SamplingOptions& sampling,
                             int64_t segment_steps, const JobContext& job) {
  if (sampler.remembers()) {
    throw Error("config", "Guidance through the chain: expected a sampler whose steps depend on the last prediction alone, found one that remembers earlier ones.",
                "Take ddim, ddpm or euler.");
  }
  const auto steps = sampler.steps().size(), segment = static_cast<size_t>(segment_steps);

  // Forward without a graph up to the last segment, keeping the input of each segment.
  std::vector<at::Tensor> segment_inputs{z.detach()};
  {
    torch::NoGradGuard no_grad;
    for (size_t begin = 0; begin + segment < steps; begin += segment) {
      segment_inputs.push_back(run_steps(denoiser, sampler, segment_inputs.back(), begin, begin + segment, classes, sampling, job));
    }
  }

  // Backward: the last segment carries the objective, each earlier one the gradient of its output. Conditions have a part
  // in every segment.
  torch::AutoGradMode grad(true);
  ChainGradient result;
  const auto conditions = denoiser.has_own_conditions() ? denoiser.conditions() : at::Tensor();
  const bool of_conditions = conditions.defined() && conditions.requires_grad();
  for (auto i = segment_inputs.size(); i-- > 0;) {
    job.check();
    const auto input = segment_inputs[i].detach().requires_grad_(true);
    torch::autograd::variable_list variables{input}, gradients;
    if (of_conditions) variables.push_back(conditions);
    const auto begin = i * segment;
    const auto output = run_steps(denoiser, sampler, input, begin, std::min(begin + segment, steps), classes, sampling, job);
    if (i + 1 == segment_inputs.size()) {
      const auto images = denoiser.to_images(output, sampling.dtype);
      const auto logits = judge(opponents, objective, images, sampling.dtype);
      const auto score = objective(logits.teacher, logits.student, classes);
      result.images = images.detach();
      result.score = score.detach();
      gradients = torch::autograd::grad({score.sum()}, variables);
    } else {
      gradients = torch::autograd::grad({output}, variables, {result.gradient});
    }
    result.gradient = gradients[0];
    if (of_conditions) result.conditions = result.conditions.defined() ? result.conditions + gradients[1] : gradients[1];
  }
  return result;
}

at::Tensor optimise_chain(Denoiser& denoiser, const Opponents& opponents, const ChainGuidanceOptions& options, Sampler& sampler,
                          const at::Tensor& start, const at::Tensor& classes, const SamplingOptions& sampling,
                          const JobContext& job) {
  constexpr double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  const auto segment = steps_per_segment(denoiser, options.memory_bytes, sampler, start.size(0), sampling);
  const auto initial_norm = norms(start);
  auto z = start.clone();
  auto first = at::zeros_like(z), second = at::zeros_like(z);  // Adam's moments
  at::Tensor best_images, best_score;

  for (int64_t i = 0; i <= options.iterations; ++i) {
    const bool last = i == options.iterations;
    ChainGradient step;
    if (last) {  // the final iterate needs its score, not its gradient
      torch::NoGradGuard no_grad;
      const auto x0 = run_steps(denoiser, sampler, z, 0, sampler.steps().size(), classes, sampling, job);
      step.images = denoiser.to_images(x0, sampling.dtype);
      const auto logits = judge(opponents, options.objective, step.images, sampling.dtype);
      step.score = options.objective(logits.teacher, logits.student, classes);
    } else {
      step = chain_gradient(denoiser, opponents, options.objective, sampler, z, classes, sampling, segment, job);
    }
    if (best_images.defined()) {
      const auto better = step.score > best_score;  // [B]
      best_images = at::where(better.view({-1, 1, 1, 1}), step.images, best_images);
      best_score = at::where(better, step.score, best_score);
    } else {
      best_images = step.images;
      best_score = step.score;
    }
    if (last) break;
    first = beta1 * first + (1 - beta1) * step.gradient;
    second = beta2 * second + (1 - beta2) * step.gradient.square();
    const auto corrected = first / (1 - std::pow(beta1, i + 1));
    const auto scale = (second / (1 - std::pow(beta2, i + 1))).sqrt() + eps;
    z = z + options.learning_rate * corrected / scale;  // ascent
    z = z * (initial_norm / norms(z));
  }
  return best_images;
}

}  // namespace sparring
