#include "guidance/generator.h"

#include "guidance/image_start.h"
#include "guidance/recorded_steps.h"
#include "ops/pixels.h"
#include "ops/random.h"

namespace sparring {
namespace {

at::Tensor probabilities(Classifier& classifier, const at::Tensor& images, at::ScalarType dtype) {
  const auto pixels = images.to(classifier.device()).permute({0, 3, 1, 2}).to(at::kFloat) / 255;
  return at::softmax(classifier.forward_frozen(pixels, dtype), 1).cpu();
}

// Of guidance by the disagreement of two classifiers, else null.
const JudgingOptions* judging_of(const GenerateOptions& options) {
  if (const auto* step = std::get_if<StepGuidanceOptions>(&options.guidance)) return &step->judging;
  if (const auto* chain = std::get_if<ChainGuidanceOptions>(&options.guidance)) return &chain->loss.judging;
  return nullptr;
}

// A copy that is told nothing of the classes, so that what is added to their conditions is all that it is told of an image.
std::shared_ptr<Denoiser> without_classes(const Denoiser& denoiser) {
  auto copy = denoiser.with_own_conditions();
  copy->conditions().narrow(0, 0, denoiser.options().num_classes).zero_();  // not the null class, which is the last
  return copy;
}

// One batch, in -1..1; start_images: [B, H, W, 3] uint8, or undefined; told: [B, tokens, text_channels], added to the conditions of
// the classes, or undefined. recorded: null where steps cannot be.
at::Tensor sample(Denoiser& denoiser, const Opponents& opponents, const GenerateOptions& options, const std::vector<int64_t>& seeds,
                  const at::Tensor& start_images, const at::Tensor& told, const at::Tensor& classes, RecordedSteps* recorded, std::vector<at::Tensor>* cosines, const JobContext& job) {
  const auto& sampling = options.sampling;
  const auto shape = denoiser.sample_shape();
  const auto noise = seeded_normal(seeds, shape, Stream::initial_noise).to(denoiser.device());
  const auto sampler = make_sampler(denoiser.schedule(), sampling.sampler, seeded_noise(seeds, shape, denoiser.device()));
  const auto start = begin_run(denoiser, *sampler, noise, start_images, classes, sampling, job, told);
  if (const auto* chain = std::get_if<ChainGuidanceOptions>(&options.guidance)) {
    return optimise_chain({denoiser, opponents, *sampler, classes, sampling, job}, *chain, start, seeds, cosines);
  }
  const auto* guidance = std::get_if<StepGuidanceOptions>(&options.guidance);
  const auto* prototypes = std::get_if<PrototypeGuidanceOptions>(&options.guidance);
  const auto& steps = sampler->steps();
  auto x = sampler->start(start.z);
  for (size_t i = 0; i < steps.size(); ++i) {
    job.check();
    if (prototypes && i == guided_step(*prototypes, steps.size(), sampling.sampler.steps)) {
      const auto perturbation = draw_perturbation(seeds, shape.front(), denoiser.device());
      const auto gradient = prototype_gradient(denoiser, *opponents.teacher, *prototypes, x, perturbation, steps, i, classes, sampling.guidance_scale, sampling.dtype, start.shifts);
      x = moved(*prototypes, x, perturbation, gradient);
    }
    const auto prediction = recorded && start.shifts.empty() && !cosines
                                ? (*recorded)(x, steps[i], classes)
                                : guided_prediction(denoiser, opponents, guidance, x, steps[i], classes, sampling.guidance_scale, sampling.dtype, shift_at(start.shifts, i), {seeds, i}, cosines);
    x = sampler->step(x, prediction, i);
  }
  torch::NoGradGuard no_grad;
  return denoiser.to_images(x, sampling.dtype);
}

}  // namespace

Generated generate(Denoiser& given, const Opponents& opponents, const GenerateOptions& options, const JobContext& job) {
  const auto copy = options.told.defined() ? without_classes(given) : nullptr;
  auto& denoiser = copy ? *copy : given;
  const auto total = static_cast<int64_t>(options.classes.size());
  std::vector<at::Tensor> images, teacher, student, cosines;
  const auto* judging = judging_of(options);
  const bool compare = options.compare_gradients && judging && !judging->path.is_exact();
  const auto* guidance = std::get_if<StepGuidanceOptions>(&options.guidance);
  std::optional<RecordingStream> stream;
  std::optional<RecordedSteps> recorded;
  if (!copy && !std::holds_alternative<ChainGuidanceOptions>(options.guidance) && RecordedSteps::can_record(denoiser, opponents, guidance)) {
    stream.emplace(denoiser.device());
    recorded.emplace(denoiser, opponents, guidance, options.sampling.guidance_scale, options.sampling.dtype);
  }
  for (int64_t begin = 0; begin < total; begin += options.batch_size) {
    const auto count = std::min(options.batch_size, total - begin);
    const std::vector<int64_t> seeds(options.seeds.begin() + begin, options.seeds.begin() + begin + count);
    const auto classes = at::tensor(at::ArrayRef<int64_t>(options.classes.data() + begin, count), at::kLong).to(denoiser.device());
    const auto start_images = options.start_images.defined() ? options.start_images.narrow(0, begin, count) : at::Tensor();
    const auto told = options.told.defined() ? options.told.narrow(0, begin, count).to(denoiser.device()) : at::Tensor();
    images.push_back(to_uint8(sample(denoiser, opponents, options, seeds, start_images, told, classes, recorded ? &*recorded : nullptr, compare && begin == 0 ? &cosines : nullptr, job)));

    torch::NoGradGuard no_grad;
    const auto dtype = options.sampling.dtype;
    if (opponents.teacher) teacher.push_back(probabilities(*opponents.teacher, images.back(), dtype));
    if (opponents.student) student.push_back(probabilities(*opponents.student, images.back(), dtype));
    job.progress(begin + count, total);
  }
  return {at::cat(images), teacher.empty() ? at::Tensor() : at::cat(teacher), student.empty() ? at::Tensor() : at::cat(student),
          cosines.empty() ? at::Tensor() : at::nanmean(at::stack(cosines), 0).cpu()};
}

}  // namespace sparring
