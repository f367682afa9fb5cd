#include "attack/loss_gradient.h"

namespace sparring {

AttackedNetwork frozen_network(Classifier& classifier, at::ScalarType dtype) {
  return [&classifier, dtype](const at::Tensor& images) { return classifier.forward_frozen(images, dtype); };
}

LossGradient loss_gradient(const AttackedNetwork& network, const at::Tensor& images, const at::Tensor& targets) {
  const torch::AutoGradMode grad(true);
  const auto input = images.detach().requires_grad_(true);
  const auto logits = network(input);
  const auto losses = at::cross_entropy_loss(logits, targets, /*weight=*/{}, at::Reduction::None);  // [B]
  // Of the sum: the mean's would depend on how many images there are.
  const auto gradient = torch::autograd::grad({losses.sum()}, {input})[0];
  return {losses.detach(), gradient, logits.detach()};
}

}  // namespace sparring
