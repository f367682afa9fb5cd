#include "guidance/adversarial_conditions.h"

#include <algorithm>

#include "distill/optimizer.h"
#include "error.h"
#include "guidance/chain_gradient.h"
#include "ops/random.h"

namespace sparring {
namespace {

// Of classes [begin, begin + count); the others do not matter to their images.
void oppose_classes(Denoiser& denoiser, const Opponents& opponents, const AdversarialOptions& options, int64_t begin, int64_t count, const JobContext& job) {
  ChainLoss loss;
  loss.judging.objective.form = ObjectiveForm::log;
  loss.judging.objective.terms = ObjectiveTerms::student;
  const auto total = denoiser.options().num_classes;
  const auto per_class = static_cast<int64_t>(options.seeds.size()) / total;
  const auto first_seed = options.seeds.begin() + begin * per_class;
  const std::vector<int64_t> seeds(first_seed, first_seed + count * per_class);
  const auto classes = at::arange(begin, begin + count, at::kLong).repeat_interleave(per_class).to(denoiser.device());
  const auto sampler = make_sampler(denoiser.schedule(), options.sampling.sampler, seeded_noise(seeds, denoiser.sample_shape(), denoiser.device()));
  const Chain chain{denoiser, opponents, *sampler, classes, options.sampling, job};
  const auto segment = steps_per_segment(chain, options.memory_bytes);

  const auto all = denoiser.conditions().detach().clone();                     // [rows, ...]
  auto moved = all.narrow(0, begin, count).clone();                            // [count, ...]
  Optimizer adam({{"conditions", moved}}, {.weight_decay = 0});
  for (int64_t i = 0; i < options.iterations; ++i) {
    denoiser.set_conditions(all.clone().requires_grad_(true));
    const auto z = seeded_normal(seeds, denoiser.sample_shape(), Stream::initial_noise, i).to(denoiser.device());
    const auto found = chain_gradient(chain, loss, {z, {}}, {}, segment, {});
    adam.step({-found.conditions.narrow(0, begin, count) / per_class}, options.learning_rate);  // descent on log f_y, mean over a class
    all.narrow(0, begin, count).copy_(moved);
    job.progress(begin * options.iterations + (i + 1) * count, total * options.iterations);
  }
  denoiser.set_conditions(all);
  if (!at::isfinite(moved).all().item<bool>()) {
    throw Error("numeric", "Adversarial conditions: expected finite numbers after " + std::to_string(options.iterations) + " iterations, found others.", "Lower gap.learningRate.");
  }
}

}  // namespace

void oppose(Denoiser& denoiser, const std::shared_ptr<Classifier>& classifier, const AdversarialOptions& options, const JobContext& job) {
  const auto total = denoiser.options().num_classes;
  const auto per_class = static_cast<int64_t>(options.seeds.size()) / total;
  const auto at_once = std::max<int64_t>(options.batch_size / per_class, 1);
  for (int64_t begin = 0; begin < total; begin += at_once) {
    oppose_classes(denoiser, {nullptr, classifier}, options, begin, std::min(at_once, total - begin), job);
  }
}

}  // namespace sparring
