// Blur by a disk with softened edge, as of a lens out of focus.
#include "corruptions/corruption.h"
#include "corruptions/pixels.h"

namespace sparring::corruptions {
namespace {

struct Disk {
  double radius, softening;  // in pixels: of the disk, and sigma of what softens its edge
};

constexpr Severities<Disk> kDisks{{{{3, .1}, {4, .5}, {6, .5}, {8, .5}, {10, .5}}}, {{{.3, .4}, {.4, .5}, {.5, .6}, {1, .2}, {1.5, .1}}}};

// As OpenCV's getGaussianKernel, in single precision.
std::vector<float> gaussian_kernel(int64_t length, double sigma) {
  std::vector<double> weights(static_cast<size_t>(length));
  double sum = 0;
  for (int64_t i = 0; i < length; ++i) {
    const auto distance = static_cast<double>(i) - static_cast<double>(length - 1) / 2;
    sum += weights[i] = std::exp(-0.5 / (sigma * sigma) * distance * distance);
  }
  std::vector<float> kernel(weights.size());
  std::transform(weights.begin(), weights.end(), kernel.begin(), [&](double weight) { return static_cast<float>(weight / sum); });
  return kernel;
}

Grid<float> disk(double radius, double softening) {
  const auto reach = radius <= 8 ? 8 : static_cast<int64_t>(std::ceil(radius));
  Grid<float> sharp(2 * reach + 1, 1), across(sharp.side, 1), soft(sharp.side, 1);
  float sum = 0;
  for (auto y = -reach; y <= reach; ++y) {
    for (auto x = -reach; x <= reach; ++x) sum += sharp.at(y + reach, x + reach) = static_cast<double>(x * x + y * y) <= radius * radius ? 1.f : 0.f;
  }
  const auto kernel = gaussian_kernel(radius <= 8 ? 3 : 5, softening);
  const auto half = static_cast<int64_t>(kernel.size() / 2);
  const auto side = sharp.side;
  for (auto& weight : sharp.values) weight /= sum;
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      for (auto i = -half; i <= half; ++i) across.at(y, x) += kernel[i + half] * sharp.at(y, inside(x + i, side, Border::mirror));
    }
  }
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      for (auto i = -half; i <= half; ++i) soft.at(y, x) += kernel[i + half] * across.at(inside(y + i, side, Border::mirror), x);
    }
  }
  return soft;
}

constexpr size_t kAtOnce = 4;  // changes that one pass over a row applies

struct Change {
  int64_t dx;
  double weight;  // that of the kernel at dx, without that before it
};

// Where the weights of a row of the kernel change, the end included: at the edges of the disk and nowhere else. Their number
// is made a multiple of kAtOnce by changes of 0.
std::vector<Change> changes(const Grid<float>& kernel, int64_t row) {
  std::vector<Change> found;
  float before = 0;
  for (int64_t dx = 0; dx <= kernel.side; ++dx) {
    const auto weight = dx < kernel.side ? kernel.at(row, dx) : 0;
    if (weight != before) found.push_back({dx, static_cast<double>(weight) - static_cast<double>(before)});
    before = weight;
  }
  while (found.size() % kAtOnce != 0) found.push_back({0, 0});
  return found;
}

// out[x] += the sum of the row's values under the kernel at x. sums: of the values before each place.
void add_row(const std::vector<Change>& changes, const double* sums, int64_t length, double* __restrict out) {
  for (size_t k = 0; k < changes.size(); k += kAtOnce) {
    const auto *a = sums + changes[k].dx * 3, *b = sums + changes[k + 1].dx * 3, *c = sums + changes[k + 2].dx * 3, *d = sums + changes[k + 3].dx * 3;
    const auto wa = changes[k].weight, wb = changes[k + 1].weight, wc = changes[k + 2].weight, wd = changes[k + 3].weight;
#pragma omp simd
    for (int64_t i = 0; i < length; ++i) out[i] -= (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
  }
}

}  // namespace

void defocus_blur(Picture& picture, const Setting& setting, Draws&) {
  const auto& [radius, softening] = setting.of(kDisks);
  const auto kernel = disk(radius * setting.scale(), softening);
  const auto reach = kernel.side / 2, side = picture.height;
  std::vector<std::vector<Change>> rows;
  for (int64_t dy = 0; dy < kernel.side; ++dy) rows.push_back(changes(kernel, dy));

  const auto grid = unit_grid<double>(picture);
  Grid<double> result(side, 3);
  std::vector<double> sums(static_cast<size_t>((side + 2 * reach + 1) * 3));
  for (int64_t source = 0; source < side; ++source) {
    for (int64_t x = 0; x < side + 2 * reach; ++x) {
      const auto* from = grid.row(source) + inside(x - reach, side, Border::mirror) * 3;
      for (int64_t c = 0; c < 3; ++c) sums[(x + 1) * 3 + c] = sums[x * 3 + c] + from[c];
    }
    // To each row of the result that sees this one, within the image or mirrored beyond its border.
    for (auto place = -reach; place < side + reach; ++place) {
      if (inside(place, side, Border::mirror) != source) continue;
      for (auto y = std::max<int64_t>(place - reach, 0); y <= std::min(place + reach, side - 1); ++y) {
        add_row(rows[place - y + reach], sums.data(), side * 3, result.row(y));
      }
    }
  }
  store(result, picture);
}

}  // namespace sparring::corruptions
