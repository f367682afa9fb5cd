#include "guidance/image_start.h"

#include "ops/pixels.h"

namespace sparring {
namespace {

// From x0 to where the steps that `sampling` takes begin, without guidance of either kind.
at::Tensor invert(Denoiser& denoiser, at::Tensor x, const at::Tensor& classes, const SamplingOptions& sampling, const JobContext& job) {
  const auto inversion = make_sampler(denoiser.schedule(), inversion_of(sampling.sampler));
  for (size_t i = 0; i < inversion->steps().size(); ++i) {
    job.check();
    const auto prediction = guided_prediction(denoiser, {}, nullptr, x, inversion->steps()[i], classes, /*guidance_scale=*/1, sampling.dtype);
    x = inversion->step(x, prediction, i);
  }
  return x;
}

}  // namespace

at::Tensor begin_run(Denoiser& denoiser, Sampler& sampler, const at::Tensor& noise, const at::Tensor& start_images, const at::Tensor& classes,
                     const SamplingOptions& sampling, const JobContext& job) {
  if (sampling.start == SamplingStart::noise) return noise;
  torch::NoGradGuard no_grad;
  const auto x0 = denoiser.from_images(from_uint8(start_images, denoiser.device()), sampling.dtype);
  if (sampling.start == SamplingStart::image) {
    sampler.start_from(x0);
    return noise;
  }
  sampler.start_as_given();
  return invert(denoiser, x0, classes, sampling, job);
}

}  // namespace sparring
