#include "attack/attacks.h"

namespace sparring {

at::Tensor fgsm(const AttackTarget& target, const Ball& ball) {
  const auto& x = target.images;
  const auto gradient = loss_gradient(target.network, x, target.labels).gradient;
  torch::NoGradGuard no_grad;
  return project(x + ball.epsilon * steepest(gradient, ball.norm), x, ball);
}

}  // namespace sparring
