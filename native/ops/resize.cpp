#include "ops/resize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <tuple>

#include <c10/core/impl/VirtualGuardImpl.h>

#include "images/cubic.h"

namespace sparring {
namespace {

// [to, from]: each row the weights of one new pixel, which sum to 1 also where the kernel reaches beyond the image.
at::Tensor resampling(int64_t from, int64_t to) {
  auto matrix = at::zeros({to, from}, at::kDouble);
  auto weights = matrix.accessor<double, 2>();
  const auto scale = static_cast<double>(from) / static_cast<double>(to);
  const auto width = std::max(scale, 1.0);
  for (int64_t i = 0; i < to; ++i) {
    const auto centre = (static_cast<double>(i) + 0.5) * scale;
    for (int64_t j = 0; j < from; ++j) weights[i][j] = images::cubic((static_cast<double>(j) + 0.5 - centre) / width);
  }
  return (matrix / matrix.sum(1, /*keepdim=*/true)).to(at::kFloat);
}

// The same on a device. It is kept: to send it there again each time makes the host wait, and cannot be recorded (ops/graph.h).
// Nothing is dropped, as there are no more of them than pairs of the side of images and of a network's input.
at::Tensor resampling_on(at::Device device, int64_t from, int64_t to) {
  if (!device.is_cpu() && !device.has_index()) device = c10::impl::VirtualGuardImpl(device.type()).getDevice();
  static auto* known = new std::map<std::tuple<std::string, int64_t, int64_t>, at::Tensor>;  // it outlives the CUDA libraries
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  auto& matrix = (*known)[{device.str(), from, to}];
  if (!matrix.defined()) matrix = resampling(from, to).to(device);
  return matrix;
}

}  // namespace

at::Tensor resize(const at::Tensor& x, int64_t size) {
  if (x.size(3) == size) return x;
  const auto matrix = resampling_on(x.device(), x.size(3), size).to(x.scalar_type());
  return at::matmul(at::matmul(matrix, x), matrix.t());
}

}  // namespace sparring
