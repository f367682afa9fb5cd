#include "guidance/cutouts.h"

#include "ops/random.h"

namespace sparring {

namespace {

// Weights of bilinear interpolation, [N, to, from], at positions [N, to] of pixels; what is beyond the border counts as the border. As a matrix,
// so that its gradient is a product as well: that of LibTorch's samplers adds up in any order on a GPU.
at::Tensor bilinear(const at::Tensor& positions, int64_t from) {
  const auto inside = positions.clamp(0, static_cast<double>(from - 1)).unsqueeze(-1);
  return (1 - (inside - at::arange(from, positions.options())).abs()).clamp_min(0);
}

}  // namespace

at::Tensor cutouts(const at::Tensor& images, const CutoutOptions& options, at::ArrayRef<int64_t> seeds, uint64_t step) {
  const auto batch = images.size(0), height = images.size(2), width = images.size(3);
  TORCH_CHECK(static_cast<int64_t>(seeds.size()) == batch, "cutouts: ", batch, " images and ", seeds.size(), " seeds");
  auto squares = at::zeros({3, options.count * batch, 1}, at::kFloat);  // side, and the top and left edge, as shares of the image
  auto entries = squares.accessor<float, 3>();
  for (int64_t image = 0; image < batch; ++image) {
    const CounterRng rng(static_cast<uint64_t>(seeds[image]), Stream::cutouts, step);
    for (int64_t part = 0; part < options.count; ++part) {
      const auto at = part * batch + image;
      const auto side = options.least_side + (1 - options.least_side) * rng.uniform(3 * part);
      entries[0][at][0] = static_cast<float>(side);
      for (int axis = 0; axis < 2; ++axis) entries[2 - axis][at][0] = static_cast<float>((1 - side) * rng.uniform(3 * part + 1 + axis));
    }
  }
  const auto square = squares.to(images.device());
  const auto rows_of = [&](const at::Tensor& edge, int64_t size) {
    const auto centres = (at::arange(size, square.options()) + 0.5) / size;  // of the pixels of a part, as shares of it
    return bilinear((edge + square[0] * centres) * size - 0.5, size);  // [count * B, size, size]
  };
  // First the rows of all parts of an image, from all its channels side by side; then the columns of each part. So no product
  // is broadcast, which would copy matrices for each channel and images for each part.
  const auto count = options.count, channels = images.size(1);
  const auto rows = rows_of(square[1], height).view({count, batch, height, height}).transpose(0, 1).reshape({batch, count * height, height});
  const auto whole = images.to(at::kFloat).transpose(1, 2).reshape({batch, height, channels * width});
  const auto strips = at::bmm(rows, whole).view({batch, count, height, channels, width}).permute({1, 0, 3, 2, 4});  // [count, B, C, H, W]
  auto parts = at::bmm(strips.reshape({count * batch, channels * height, width}), rows_of(square[2], width).transpose(1, 2))
                   .view({count * batch, channels, height, width});
  if (options.noise > 0) {
    // One noise per image for all its parts in turn.
    const auto noise = seeded_normal(seeds, {options.count, images.size(1), images.size(2), images.size(3)}, Stream::cutout_noise, step);
    parts = parts + options.noise * noise.transpose(0, 1).reshape(parts.sizes()).to(images.device());
  }
  return parts;
}

}  // namespace sparring
