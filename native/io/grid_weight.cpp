#include "io/grid_weight.h"

#include <algorithm>
#include <cmath>

#include "ops/resize.h"

namespace sparring {
namespace {

std::optional<int64_t> root(int64_t positions) {
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(std::max<int64_t>(positions, 0)))));
  return side > 0 && side * side == positions ? std::optional(side) : std::nullopt;
}

}  // namespace

std::optional<std::vector<int64_t>> GridWeight::other_sizes(at::IntArrayRef ours, int64_t count) const {
  auto sizes = ours.vec();
  const auto one = c10::multiply_integers(ours) / ours[dimension];  // numbers of one entry
  sizes[dimension] = count / one;
  if (count % one != 0 || !root(sizes[dimension] - prefix)) return std::nullopt;
  return sizes;
}

at::Tensor GridWeight::resample(const at::Tensor& tensor, at::IntArrayRef ours) const {
  const auto side = *root(tensor.size(dimension) - prefix), new_side = *root(ours[dimension] - prefix);
  const auto channels = tensor.narrow(dimension, prefix, side * side).movedim(dimension, -1).to(at::kFloat);  // [..., positions]
  auto sizes = channels.sizes().vec();
  sizes.back() = new_side * new_side;
  const auto resized = resize(channels.reshape({1, -1, side, side}), new_side).reshape(sizes).movedim(-1, dimension);
  return at::cat({tensor.narrow(dimension, 0, prefix), resized.to(tensor.scalar_type())}, dimension);
}

}  // namespace sparring
