#include "guidance/chain_guidance.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distill/optimizer.h"
#include "error.h"
#include "guidance/step_guidance.h"

namespace sparring {
namespace {

// Per-image L2 norm: [B, C, h, w] -> [B, 1, 1, 1]
at::Tensor norms(const at::Tensor& x) { return x.flatten(1).norm(2, 1).view({-1, 1, 1, 1}); }

// Shifts of every step that can be moved: those that there are, else zero.
ConditionShifts shifts_to_move(const Chain& chain, const ConditionShifts& given, MovedConditions moved) {
  if (!moved.any()) return given;
  const auto none = at::zeros_like(chain.denoiser.conditions().index_select(0, chain.classes));  // [B, ...]
  ConditionShifts result(chain.sampler.steps().size());
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = shift_at(given, i);
    const auto own = [&](at::Tensor& shift) { shift = shift.defined() ? shift.clone() : none.clone(); };
    if (moved.of_class) own(result[i].of_class);
    if (moved.of_null) own(result[i].of_null);
  }
  return result;
}

Optimizer adam(std::vector<std::pair<std::string, at::Tensor>> variables) { return Optimizer(std::move(variables), {.weight_decay = 0}); }

// Adam on what is added to the conditions.
class ShiftOptimizer {
 public:
  ShiftOptimizer(ConditionShifts& shifts, MovedConditions moved) : moved_(moved), variables_(list(shifts)) {
    if (moved.any()) adam_ = adam(variables_);
  }

  // Ascent.
  void step(ConditionShifts& gradients, double rate) {
    if (!adam_) return;
    std::vector<at::Tensor> descents;
    for (const auto& [name, gradient] : list(gradients)) descents.push_back(-gradient);
    adam_->step(descents, rate);
  }

 private:
  std::vector<std::pair<std::string, at::Tensor>> list(ConditionShifts& shifts) const {
    std::vector<std::pair<std::string, at::Tensor>> result;
    for (auto& shift : shifts) {
      if (moved_.of_class) result.emplace_back("class", shift.of_class);
      if (moved_.of_null) result.emplace_back("null", shift.of_null);
    }
    return result;
  }

  MovedConditions moved_;
  std::vector<std::pair<std::string, at::Tensor>> variables_;
  std::optional<Optimizer> adam_;
};

}  // namespace

void check_moved(const Denoiser& denoiser, MovedConditions moved, double guidance_scale) {
  if (moved.any()) denoiser.conditions();  // throws where there are none
  if (moved.of_null && guidance_scale == 1) {
    throw Error("config", "sampling.guidance.conditions: expected a guidance scale other than 1 to move the null condition, found 1.", "Without classifier-free guidance it has no part. Set sampling.guidanceScale, or move that of the class alone.");
  }
}

at::Tensor optimise_chain(const Chain& chain, const ChainGuidanceOptions& options, ChainPoint point, at::ArrayRef<int64_t> seeds, std::vector<at::Tensor>* cosines) {
  const auto segment = steps_per_segment(chain, options.memory_bytes);
  const auto initial_norm = norms(point.z);
  point.z = point.z.clone();
  point.shifts = shifts_to_move(chain, point.shifts, options.moved);
  auto of_z = adam({{"z", point.z}});
  ShiftOptimizer of_shifts(point.shifts, options.moved);
  at::Tensor best_images, best_score;

  for (int64_t i = 0; i <= options.iterations; ++i) {
    const bool last = i == options.iterations;  // the final iterate needs its score, not its gradient
    auto found = last ? run_chain(chain, options.loss.judging.objective, point)
                      : chain_gradient(chain, options.loss, point, options.moved, segment, {seeds, static_cast<uint64_t>(i)});
    if (best_images.defined()) {
      const auto better = (found.score > best_score).logical_or(best_score.isnan());  // [B]
      best_images = at::where(better.view({-1, 1, 1, 1}), found.images, best_images);
      best_score = at::where(better, found.score, best_score);
    } else {
      best_images = found.images;
      best_score = found.score;
    }
    if (last) break;
    if (cosines && i == 0) {
      auto exact = options.loss;
      exact.judging.path = {};
      cosines->push_back(cosine_of_gradients(found.gradient, chain_gradient(chain, exact, point, {}, segment, {seeds, 0}).gradient));
    }
    of_z.step({-found.gradient}, options.learning_rate);  // ascent
    point.z.mul_(initial_norm / norms(point.z));
    of_shifts.step(found.shifts, options.condition_rate);
  }
  return best_images;
}

}  // namespace sparring
