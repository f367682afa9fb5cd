#include "guidance/cutouts.h"

#include "ops/random.h"

namespace sparring {

at::Tensor cutouts(const at::Tensor& images, const CutoutOptions& options, at::ArrayRef<int64_t> seeds, uint64_t step) {
  const auto batch = images.size(0);
  TORCH_CHECK(static_cast<int64_t>(seeds.size()) == batch, "cutouts: ", batch, " images and ", seeds.size(), " seeds");
  auto affine = at::zeros({options.count * batch, 2, 3}, at::kFloat);  // from the part to the image, both in -1..1
  auto entries = affine.accessor<float, 3>();
  for (int64_t image = 0; image < batch; ++image) {
    const CounterRng rng(static_cast<uint64_t>(seeds[image]), Stream::cutouts, step);
    for (int64_t part = 0; part < options.count; ++part) {
      const auto side = options.least_side + (1 - options.least_side) * rng.uniform(3 * part);
      auto entry = entries[part * batch + image];
      for (int axis = 0; axis < 2; ++axis) {
        entry[axis][axis] = static_cast<float>(side);
        entry[axis][2] = static_cast<float>((1 - side) * (2 * rng.uniform(3 * part + 1 + axis) - 1));
      }
    }
  }
  const auto whole = images.to(at::kFloat).repeat({options.count, 1, 1, 1});  // [count * B, C, H, W]
  const auto grid = at::affine_grid_generator(affine.to(images.device()), whole.sizes(), /*align_corners=*/false);
  auto parts = at::grid_sampler_2d(whole, grid, /*bilinear*/ 0, /*border*/ 1, /*align_corners=*/false);
  if (options.noise > 0) {
    // One noise per image for all its parts in turn.
    const auto noise = seeded_normal(seeds, {options.count, images.size(1), images.size(2), images.size(3)}, Stream::cutout_noise, step);
    parts = parts + options.noise * noise.transpose(0, 1).reshape(parts.sizes()).to(images.device());
  }
  return parts;
}

}  // namespace sparring
