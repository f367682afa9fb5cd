#include "guidance/chain_gradient.h"

#include <algorithm>

#include "error.h"

namespace sparring {
namespace {

// Steps [begin, end) of the chain, from where the run starts if begin is 0; differentiable with respect to x and the shifts when
// gradients are on. `predicted` gets x0 of each step, clipped.
at::Tensor run_steps(const Chain& chain, at::Tensor x, const ConditionShifts& shifts, size_t begin, size_t end, std::vector<at::Tensor>* predicted = nullptr) {
  const auto& sampling = chain.sampling;
  if (begin == 0) x = chain.sampler.start(x);
  for (auto i = begin; i < end; ++i) {
    chain.job.check();
    const auto& step = chain.sampler.steps()[i];
    auto prediction = chain.denoiser.predict(x, place_of(step), chain.classes, sampling.guidance_scale, sampling.dtype, shift_at(shifts, i));
    prediction.x0 = chain.denoiser.clip(prediction.x0);
    if (predicted) predicted->push_back(prediction.x0);
    x = chain.sampler.step(x, prediction, i);
  }
  return x;
}

// The variables of steps [begin, end) as leaves of their own.
struct Leaves {
  torch::autograd::variable_list list;
  ConditionShifts shifts;
};

Leaves leaves_of(const ConditionShifts& shifts, MovedConditions moved, size_t begin, size_t end) {
  Leaves leaves{{}, shifts};
  const auto detach = [&](at::Tensor& shift) { leaves.list.push_back(shift = shift.detach().requires_grad_(true)); };
  for (auto i = begin; i < end; ++i) {
    if (moved.of_class) detach(leaves.shifts.at(i).of_class);
    if (moved.of_null) detach(leaves.shifts.at(i).of_null);
  }
  return leaves;
}

}  // namespace

double ChainLoss::weight(int64_t j) const {
  const auto count = static_cast<double>(last_predictions);
  return weights == PredictionWeights::equal ? 1 / count : 2 * static_cast<double>(j + 1) / (count * (count + 1));
}

void check_chain(const ChainLoss& loss, const Sampler& sampler) {
  if (sampler.remembers()) {
    throw Error("config", "Guidance through the chain: expected a sampler whose steps depend on the last prediction alone, found one that remembers earlier ones.",
                "Take ddim, ddpm or euler.");
  }
  const auto steps = static_cast<int64_t>(sampler.steps().size());
  if (loss.last_predictions < 1 || loss.last_predictions > steps) {
    throw Error("config", c10::str("sampling.guidance.lastPredictions: expected 1 to ", steps, ", the steps that are taken, found ", loss.last_predictions, "."));
  }
}

int64_t steps_per_segment(const Chain& chain, int64_t memory_bytes) {
  const auto halves = chain.sampling.guidance_scale == 1 ? 1 : 2;  // both halves of classifier-free guidance
  const auto per_step = chain.classes.size(0) * halves *
      chain.denoiser.module().activation_bytes(chain.denoiser.sample_shape().back(), static_cast<int64_t>(c10::elementSize(chain.sampling.dtype)));
  return std::clamp<int64_t>(memory_bytes / std::max<int64_t>(per_step, 1), 1, static_cast<int64_t>(chain.sampler.steps().size()));
}

ChainGradient chain_gradient(const Chain& chain, const ChainLoss& loss, const ChainPoint& point, MovedConditions moved, int64_t segment_steps, const StepDraws& draws) {
  check_chain(loss, chain.sampler);
  const auto& objective = loss.judging.objective;
  const auto dtype = chain.sampling.dtype;
  auto& denoiser = chain.denoiser;
  const auto steps = chain.sampler.steps().size(), segment = static_cast<size_t>(segment_steps);
  const auto first_judged = steps - static_cast<size_t>(loss.last_predictions);

  // Forward without a graph up to the last segment, keeping the input of each segment.
  std::vector<at::Tensor> segment_inputs{point.z.detach()};
  {
    torch::NoGradGuard no_grad;
    for (size_t begin = 0; begin + segment < steps; begin += segment) {
      segment_inputs.push_back(run_steps(chain, segment_inputs.back(), point.shifts, begin, begin + segment));
    }
  }

  // Backward: each segment carries the gradient of its output, the last one that of the objective instead, and those of the
  // predictions within it that are judged. Conditions have a part in every segment.
  torch::AutoGradMode grad(true);
  ChainGradient result;
  result.shifts.resize(moved.any() ? steps : 0);
  const auto conditions = denoiser.has_own_conditions() ? denoiser.conditions() : at::Tensor();
  const bool of_conditions = conditions.defined() && conditions.requires_grad();
  for (auto i = segment_inputs.size(); i-- > 0;) {
    chain.job.check();
    const auto begin = i * segment, end = std::min(begin + segment, steps);
    const auto input = segment_inputs[i].detach().requires_grad_(true);
    auto leaves = leaves_of(point.shifts, moved, begin, end);
    std::vector<at::Tensor> predicted;
    const auto output = run_steps(chain, input, leaves.shifts, begin, end, &predicted);

    torch::autograd::variable_list outputs, directions;
    // The part of decoder and classifiers is taken at once, so that one of their graphs is kept at a time.
    const auto judged = [&](const at::Tensor& x0, size_t step) {
      const auto place = static_cast<int64_t>(step - first_judged);
      const auto leaf = x0.detach().requires_grad_(true);
      auto judgement = judge_prediction(denoiser, chain.opponents, loss.judging, {draws.seeds, draws.step * loss.last_predictions + place}, leaf, chain.classes, dtype);
      outputs.push_back(x0);
      directions.push_back(loss.weight(place) * torch::autograd::grad({judgement.score.sum()}, {leaf})[0]);
      judgement.score = judgement.score.detach();
      const auto part = loss.weight(place) * judgement.score;
      result.objective = result.objective.defined() ? result.objective + part : part;
      return judgement;
    };
    if (end == steps) {
      const auto judgement = judged(output, steps - 1);
      torch::NoGradGuard no_grad;
      const bool own = loss.judging.path.decoder == Decoder::own;
      result.images = own ? judgement.images : denoiser.to_images(output.detach(), dtype);
      result.score = own && loss.judging.cutouts.count == 0 ? judgement.score : score_of(chain.opponents, objective, result.images, chain.classes, dtype);
    } else {
      outputs.push_back(output);
      directions.push_back(result.gradient);
    }
    for (auto step = std::max(begin, first_judged); step < std::min(end, steps - 1); ++step) judged(predicted[step - begin], step);

    auto variables = leaves.list;
    variables.push_back(input);
    if (of_conditions) variables.push_back(conditions);
    const auto gradients = torch::autograd::grad(outputs, variables, directions);
    size_t next = 0;
    for (auto step = begin; step < end && moved.any(); ++step) {
      if (moved.of_class) result.shifts[step].of_class = gradients[next++];
      if (moved.of_null) result.shifts[step].of_null = gradients[next++];
    }
    result.gradient = gradients[next++];
    if (of_conditions) result.conditions = result.conditions.defined() ? result.conditions + gradients[next] : gradients[next];
  }
  return result;
}

ChainGradient run_chain(const Chain& chain, const Objective& objective, const ChainPoint& point) {
  torch::NoGradGuard no_grad;
  ChainGradient result;
  const auto x0 = run_steps(chain, point.z, point.shifts, 0, chain.sampler.steps().size());
  result.images = chain.denoiser.to_images(x0, chain.sampling.dtype);
  result.score = score_of(chain.opponents, objective, result.images, chain.classes, chain.sampling.dtype);
  return result;
}

}  // namespace sparring
