#include <algorithm>
#include <cmath>

#include "attack/attacks.h"

namespace sparring {
namespace {

constexpr double kMomentum = 0.75;  // alpha
constexpr double kRising = 0.75;    // rho: share of the steps since the last checkpoint that must raise the loss

// After which steps the step size is looked at: w_j = ceil(p_j steps).
std::vector<int64_t> checkpoints(int64_t steps) {
  std::vector<int64_t> result;
  for (double previous = 0, p = 0.22; p <= 1;) {
    // A little less, so that 0.22 * 50 is 11 although it is more than that in doubles.
    const auto at = static_cast<int64_t>(std::ceil(p * static_cast<double>(steps) - 1e-9));
    if (result.empty() || at > result.back()) result.push_back(at);
    const auto next = p + std::max(p - previous - 0.03, 0.06);
    previous = p;
    p = next;
  }
  return result;
}

// `condition` is [B], true where an image takes `other`.
at::Tensor choose(const at::Tensor& condition, const at::Tensor& other, const at::Tensor& own) {
  return own.dim() == 1 ? at::where(condition, other, own) : at::where(condition.view({-1, 1, 1, 1}), other, own);
}

// Where the loss of each image was highest.
struct Summit {
  at::Tensor images, losses, gradient;
};

void climb(Summit& summit, const at::Tensor& images, const LossGradient& found) {
  const auto higher = found.losses > summit.losses;
  summit.images = choose(higher, images, summit.images);
  summit.gradient = choose(higher, found.gradient, summit.gradient);
  summit.losses = choose(higher, found.losses, summit.losses);
}

// What the attack returns.
struct Outcome {
  at::Tensor images, losses, fooled;
};

void improve(Outcome& best, const at::Tensor& images, const LossGradient& found, const at::Tensor& labels) {
  const auto fooled = found.logits.argmax(1) != labels;
  const auto better = (fooled & ~best.fooled) | ((fooled == best.fooled) & (found.losses > best.losses));
  best.images = choose(better, images, best.images);
  best.losses = choose(better, found.losses, best.losses);
  best.fooled = best.fooled | fooled;
}

}  // namespace

at::Tensor apgd(const AttackTarget& target, const AttackOptions& options, const JobContext& job) {
  const auto& ball = options.ball;
  const auto& centre = target.images;
  torch::NoGradGuard no_grad;
  auto x = random_start(centre, ball, options.random_start, target.seeds);
  auto previous = x;
  auto found = loss_gradient(target.network, x, target.labels);
  Summit summit{x, found.losses, found.gradient};
  Outcome best{x, found.losses, found.logits.argmax(1) != target.labels};

  auto step_size = at::full_like(found.losses, 2 * ball.epsilon);  // [B]
  auto rises = at::zeros_like(found.losses);                        // steps since the last checkpoint that raised the loss, [B]
  auto was_halved = at::ones_like(best.fooled);                     // at the last checkpoint; at the first one, no standstill counts
  auto summit_then = summit.losses;
  int64_t last = 0;
  const auto looks = checkpoints(options.steps);

  for (int64_t step = 1; step <= options.steps; ++step) {
    job.check();
    // A plain step, then one with momentum between it and the last move.
    const auto plain = project(x + step_size.view({-1, 1, 1, 1}) * steepest(found.gradient, ball.norm), centre, ball);
    const auto momentum = step == 1 ? 1.0 : kMomentum;
    const auto next = project(x + momentum * (plain - x) + (1 - momentum) * (x - previous), centre, ball);
    const auto losses_then = found.losses;
    previous = x;
    x = next;
    found = loss_gradient(target.network, x, target.labels);
    rises += found.losses > losses_then;
    climb(summit, x, found);
    improve(best, x, found, target.labels);

    if (!std::binary_search(looks.begin(), looks.end(), step)) continue;
    const auto seldom = rises < kRising * static_cast<double>(step - last);
    const auto standstill = ~was_halved & (summit.losses == summit_then);
    was_halved = seldom | standstill;
    summit_then = summit.losses;
    step_size = at::where(was_halved, step_size / 2, step_size);
    x = choose(was_halved, summit.images, x);
    found.gradient = choose(was_halved, summit.gradient, found.gradient);
    found.losses = choose(was_halved, summit.losses, found.losses);
    rises.zero_();
    last = step;
  }
  return best.images;
}

}  // namespace sparring
