#include "distill/perceptual_loss.h"

namespace sparring {
namespace {

// [B, C, h, w] -> the same, of length 1 along C
at::Tensor unit_vectors(const at::Tensor& map) {
  constexpr double kLeastSquare = 1e-10;  // under the root, whose gradient at 0 is infinite
  return map * (map.square().sum(1, /*keepdim=*/true) + kLeastSquare).rsqrt();
}

at::Tensor to_pixels(const at::Tensor& images) { return (images + 1) / 2; }

}  // namespace

at::Tensor perceptual_distance(const std::vector<at::Tensor>& found, const std::vector<at::Tensor>& expected) {
  at::Tensor sum;
  for (size_t layer = 0; layer < found.size(); ++layer) {
    const auto distance = (unit_vectors(found[layer]) - unit_vectors(expected[layer])).square().sum(1).mean();
    sum = sum.defined() ? sum + distance : distance;
  }
  return sum;
}

at::Tensor perceptual_loss(Classifier& classifier, const at::Tensor& images, const at::Tensor& targets, at::ScalarType dtype) {
  std::vector<at::Tensor> expected;
  {
    const torch::NoGradGuard no_grad;
    expected = classifier.feature_maps_frozen(to_pixels(targets), dtype);
  }
  return perceptual_distance(classifier.feature_maps_frozen(to_pixels(images), dtype), expected);
}

}  // namespace sparring
