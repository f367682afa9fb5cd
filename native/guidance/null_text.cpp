#include "guidance/null_text.h"

#include "distill/optimizer.h"

namespace sparring {
namespace {

// Of both halves of classifier-free guidance; x0 and epsilon are affine in what the network says, so that they are combined like it.
Prediction combined(const Denoiser& denoiser, const Prediction& own, const Prediction& null, double scale) {
  const auto mix = [scale](const at::Tensor& a, const at::Tensor& b) { return b + scale * (a - b); };
  return {denoiser.clip(mix(own.x0, null.x0)), mix(own.epsilon, null.epsilon)};
}

// values where `chosen` [B], else `others`; both [B, ...]
at::Tensor choose(const at::Tensor& chosen, const at::Tensor& values, const at::Tensor& others) {
  std::vector<int64_t> shape(values.dim(), 1);
  shape[0] = -1;
  return at::where(chosen.view(shape), values, others);
}

}  // namespace

ConditionShifts fit_null_condition(Denoiser& denoiser, Sampler& sampler, const std::vector<at::Tensor>& inverted, const at::Tensor& classes,
                                   const SamplingOptions& sampling, const JobContext& job, const at::Tensor& class_shift) {
  denoiser.check_guidance_scale(sampling.guidance_scale);
  const auto& steps = sampler.steps();
  const auto nulls = at::full_like(classes, denoiser.null_class());
  auto x = inverted.front();
  auto shift = at::zeros_like(denoiser.conditions().index_select(0, nulls));  // [B, ...]
  ConditionShifts result;
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto predict = [&](const at::Tensor& labels, const at::Tensor& moved) {
      return denoiser.predict(x, place_of(steps[i]), labels, /*guidance_scale=*/1, sampling.dtype, {moved, {}});
    };
    const auto own = [&] {
      torch::NoGradGuard no_grad;
      return predict(classes, class_shift);
    }();
    const auto at_shift = [&](const at::Tensor& moved) { return sampler.step(x, combined(denoiser, own, predict(nulls, moved), sampling.guidance_scale), i); };
    auto variable = shift.clone();
    Optimizer adam({{"null", variable}}, {.weight_decay = 0});
    // Theirs falls by 1/100 in each of 50 steps.
    const auto rate = sampling.null_text.learning_rate * (1 - static_cast<double>(i) / (2.0 * static_cast<double>(steps.size())));
    at::Tensor best_loss, best_x;
    for (int64_t k = 0; k <= sampling.null_text.iterations; ++k) {
      job.check();
      const bool last = k == sampling.null_text.iterations;
      torch::AutoGradMode grad(!last);
      const auto leaf = variable.detach().clone().requires_grad_(!last);
      const auto next = at_shift(leaf);
      const auto loss = (inverted.at(i + 1) - next).square().flatten(1).mean(1);  // [B]
      const auto gradient = last ? at::Tensor() : torch::autograd::grad({loss.sum()}, {leaf})[0];
      torch::NoGradGuard no_grad;
      const auto better = best_loss.defined() ? (loss.detach() < best_loss).logical_or(best_loss.isnan()) : at::ones_like(classes, at::kBool);
      shift = choose(better, leaf.detach(), shift);
      best_x = best_x.defined() ? choose(better, next.detach(), best_x) : next.detach();
      best_loss = best_loss.defined() ? at::where(better, loss.detach(), best_loss) : loss.detach();
      if (!last) adam.step({gradient}, rate);
    }
    x = best_x;
    result.push_back({class_shift, shift});
  }
  return result;
}

}  // namespace sparring
