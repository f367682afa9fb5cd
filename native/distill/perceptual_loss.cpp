#include "distill/perceptual_loss.h"

namespace sparring {
namespace {

// [B, C, h, w] -> the same, of length 1 along C
at::Tensor unit_vectors(const at::Tensor& map) {
  constexpr double kLeastSquare = 1e-10;  // under the root, whose gradient at 0 is infinite
  return map * (map.square().sum(1, /*keepdim=*/true) + kLeastSquare).rsqrt();
}

// found, expected: maps [B, C, h, w] of the same layers; channel_weights: of each layer, [1, C, 1, 1], or none at all. Each vector of
// C numbers is brought to length 1; the squared distances are averaged over positions and images and summed over the layers.
at::Tensor distance(const std::vector<at::Tensor>& found, const std::vector<at::Tensor>& expected, const std::vector<at::Tensor>& channel_weights) {
  at::Tensor sum;
  for (size_t layer = 0; layer < found.size(); ++layer) {
    auto squares = (unit_vectors(found[layer]) - unit_vectors(expected[layer])).square();
    if (!channel_weights.empty()) squares = squares * channel_weights[layer];
    const auto mean = squares.sum(1).mean();
    sum = sum.defined() ? sum + mean : mean;
  }
  return sum;
}

template <typename FeatureMaps>
PerceptualLoss loss_of(FeatureMaps feature_maps, std::vector<at::Tensor> channel_weights) {
  return [feature_maps, channel_weights](const at::Tensor& images, const at::Tensor& targets) {
    std::vector<at::Tensor> expected;
    {
      const torch::NoGradGuard no_grad;
      expected = feature_maps(targets);
    }
    return distance(feature_maps(images), expected, channel_weights);
  };
}

}  // namespace

PerceptualLoss perceptual_loss(std::shared_ptr<Classifier> classifier, at::ScalarType dtype) {
  return loss_of([classifier, dtype](const at::Tensor& images) { return classifier->feature_maps_frozen((images + 1) / 2, dtype); }, {});
}

PerceptualLoss perceptual_loss(std::shared_ptr<LpipsImpl> network) {
  return loss_of([network](const at::Tensor& images) { return network->feature_maps(images); }, network->channel_weights);
}

}  // namespace sparring
