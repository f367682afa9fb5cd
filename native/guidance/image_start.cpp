#include "guidance/image_start.h"

#include <algorithm>

#include "guidance/null_text.h"
#include "guidance/step_guidance.h"
#include "ops/pixels.h"

namespace sparring {
namespace {

// From x0 to where the steps that `sampling` takes begin, without guidance of either kind: x at each noise level, the noisiest first.
std::vector<at::Tensor> invert(Denoiser& denoiser, const at::Tensor& x0, const at::Tensor& classes, const SamplingOptions& sampling, const JobContext& job, const at::Tensor& shift) {
  const auto inversion = make_sampler(denoiser.schedule(), inversion_of(sampling.sampler));
  std::vector<at::Tensor> way{x0};
  for (size_t i = 0; i < inversion->steps().size(); ++i) {
    job.check();
    const auto prediction = guided_prediction(denoiser, {}, nullptr, way.back(), inversion->steps()[i], classes, /*guidance_scale=*/1, sampling.dtype, {shift, {}});
    way.push_back(inversion->step(way.back(), prediction, i));
  }
  std::reverse(way.begin(), way.end());
  return way;
}

}  // namespace

ChainPoint begin_run(Denoiser& denoiser, Sampler& sampler, const at::Tensor& noise, const at::Tensor& start_images, const at::Tensor& classes,
                     const SamplingOptions& sampling, const JobContext& job, const at::Tensor& shift) {
  const ConditionShifts shifts(shift.defined() ? sampler.steps().size() : 0, {shift, {}});
  if (sampling.start == SamplingStart::noise) return {noise, shifts};
  torch::NoGradGuard no_grad;
  const auto x0 = denoiser.from_images(from_uint8(start_images, denoiser.device()), sampling.dtype);
  if (sampling.start == SamplingStart::image) {
    sampler.start_from(x0);
    return {noise, shifts};
  }
  sampler.start_as_given();
  const auto way = invert(denoiser, x0, classes, sampling, job, shift);
  if (sampling.null_text.iterations == 0) return {way.front(), shifts};
  return {way.front(), fit_null_condition(denoiser, sampler, way, classes, sampling, job, shift)};
}

}  // namespace sparring
