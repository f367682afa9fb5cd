#include "guidance/recorded_steps.h"

#include <algorithm>
#include <cmath>

namespace sparring {
namespace {

// What differs from step to step, for the host to send in one piece: [6]
at::Tensor numbers_of(const SamplingStep& step, double weight) {
  const auto alpha = std::sqrt(step.alpha_bar), sigma = std::sqrt(1 - step.alpha_bar);
  return at::tensor({step.timestep, alpha, sigma, 1 / alpha, 1 / sigma, weight}, at::kDouble).to(at::kFloat);
}

StepPlace place_in(const at::Tensor& numbers) { return {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]}; }

}  // namespace

bool RecordedSteps::can_record(const Denoiser& denoiser, const Opponents& opponents, const StepGuidanceOptions* guidance) {
  if (!has_graphs(denoiser.device())) return false;
  if (!guidance) return true;
  const auto is_known = [](const std::shared_ptr<Classifier>& classifier) { return !classifier || !classifier->is_script(); };
  return guidance->judging.cutouts.count == 0 && is_known(opponents.teacher) && is_known(opponents.student);
}

RecordedSteps::RecordedSteps(Denoiser& denoiser, const Opponents& opponents, const StepGuidanceOptions* guidance, double guidance_scale, at::ScalarType dtype)
    : denoiser_(denoiser), opponents_(opponents), guidance_(guidance), guidance_scale_(guidance_scale), dtype_(dtype) {}

Prediction RecordedSteps::operator()(const at::Tensor& x_t, const SamplingStep& step, const at::Tensor& classes) {
  if (x_t.size(0) != batch_) functions_.clear();
  batch_ = x_t.size(0);
  require_noise(denoiser_.options().prediction, std::sqrt(1 - step.alpha_bar));
  const auto weight = guidance_weight(denoiser_, guidance_, step);
  const auto results = function(weight != 0)({x_t, classes, numbers_of(step, weight)});
  return {results[0].clone(), results[1].clone()};
}

RecordedFunction& RecordedSteps::function(bool guided) {
  const auto known = functions_.find(guided);
  if (known != functions_.end()) return known->second;
  const auto predict = [this, guided](const std::vector<at::Tensor>& inputs) {
    const auto &x_t = inputs[0], &classes = inputs[1], &numbers = inputs[2];
    const auto place = place_in(numbers);
    const auto prediction = guided ? guided_at(denoiser_, opponents_, guidance_->judging, {}, x_t, place, numbers[5], classes, guidance_scale_, dtype_)
                                   : plain_at(denoiser_, x_t, place, classes, guidance_scale_, dtype_);
    return std::vector<at::Tensor>{prediction.x0, prediction.epsilon};
  };
  return functions_.emplace(guided, RecordedFunction(predict, denoiser_.device())).first->second;
}

int64_t RecordedSteps::count() const {
  return std::count_if(functions_.begin(), functions_.end(), [](const auto& entry) { return entry.second.is_recorded(); });
}

}  // namespace sparring
