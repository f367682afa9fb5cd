#include "attack/attacks.h"

namespace sparring {

at::Tensor pgd(const AttackTarget& target, const AttackOptions& options, const JobContext& job) {
  const auto& [ball, probability, steps, step_size] = options;
  torch::NoGradGuard no_grad;
  auto x = random_start(target.images, ball, probability, target.seeds);
  for (int64_t step = 0; step < steps; ++step) {
    job.check();
    const auto gradient = loss_gradient(target.network, x, target.labels).gradient;
    x = project(x + step_size * steepest(gradient, ball.norm), target.images, ball);
  }
  return x;
}

}  // namespace sparring
