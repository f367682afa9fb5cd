#include "attack/discrete_adversary.h"

namespace sparring {
namespace {

AttackOptions search_of(const DiscreteAttackOptions& options, const at::Tensor& images) {
  auto search = options.search;
  const auto norm = search.ball.norm;
  search.ball.epsilon = length_at_size(norm, search.ball.epsilon, images);
  search.step_size = length_at_size(norm, search.step_size, images);
  if (options.variant != DiscreteVariant::adversarial) search.steps = 0;
  if (options.variant == DiscreteVariant::noise_only) search.random_start = 1;
  if (options.variant == DiscreteVariant::sample_only) search.random_start = 0;
  return search;
}

}  // namespace

DiscreteAdversary discrete_adversary(const AttackTarget& target, const Discretiser& q, const DiscreteAttackOptions& options, const JobContext& job) {
  DiscreteAdversary result;
  result.reconstruction = q(target.images, target.seeds, job);
  job.check();
  result.moved = pgd({target.network, result.reconstruction, target.labels, target.seeds}, search_of(options, target.images), job);
  job.check();
  result.images = q(result.moved, target.seeds, job);
  return result;
}

}  // namespace sparring
