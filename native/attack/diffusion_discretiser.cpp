#include "attack/diffusion_discretiser.h"

#include "guidance/step_guidance.h"
#include "ops/random.h"

namespace sparring {

Discretiser diffusion_discretiser(std::shared_ptr<Denoiser> denoiser, const SamplingOptions& sampling) {
  const auto told_of_class = denoiser->has_text() || denoiser->options().unet.num_class_embeds() > 0;
  if (told_of_class && !denoiser->has_null_class()) {
    throw Error("config", "The generator as discretiser: expected one that can draw without a class, found one that is told a class always.", "Train it with generator.labelDropout above 0.");
  }
  make_sampler(denoiser->schedule(), sampling.sampler, seeded_noise({}, denoiser->sample_shape(), denoiser->device()));  // throws for options that give no run
  return [denoiser, sampling](const at::Tensor& images, const std::vector<int64_t>& seeds, const JobContext& job) {
    torch::NoGradGuard no_grad;
    const auto device = denoiser->device();
    const auto shape = denoiser->sample_shape();
    const auto sampler = make_sampler(denoiser->schedule(), sampling.sampler, seeded_noise(seeds, shape, device));
    sampler->start_from(denoiser->from_images(images.to(device) * 2 - 1, sampling.dtype));
    const auto none = at::full({images.size(0)}, denoiser->null_class(), at::TensorOptions(device).dtype(at::kLong));  // [B]
    auto x = sampler->start(seeded_normal(seeds, shape, Stream::initial_noise).to(device));
    for (size_t i = 0; i < sampler->steps().size(); ++i) {
      job.check();
      x = sampler->step(x, guided_prediction(*denoiser, {}, nullptr, x, sampler->steps()[i], none, /*guidance_scale=*/1, sampling.dtype), i);
    }
    return ((denoiser->to_images(x, sampling.dtype) + 1) / 2).clamp(0, 1);
  };
}

}  // namespace sparring
