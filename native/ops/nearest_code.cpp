#include "ops/nearest_code.h"

#include <algorithm>

namespace sparring {
namespace {

constexpr int64_t kBlockElements = int64_t{1} << 22;  // distances at a time

}  // namespace

at::Tensor nearest_code(const at::Tensor& vectors, const at::Tensor& codebook) {
  TORCH_CHECK(vectors.dim() == 2 && codebook.dim() == 2 && vectors.size(1) == codebook.size(1) && codebook.size(0) > 0 &&
                  vectors.scalar_type() == at::kFloat && codebook.scalar_type() == at::kFloat,
              "nearest_code: expected fp32 vectors [N, D] and a codebook [K, D], found ", vectors.scalar_type(), " ",
              vectors.sizes(), " and ", codebook.scalar_type(), " ", codebook.sizes());
  const torch::NoGradGuard no_grad;
  // |z - e|^2 less |z|^2, which is the same for all codes.
  const auto squares = codebook.square().sum(1);  // [K]
  const auto transposed = codebook.t();
  auto indices = at::empty({vectors.size(0)}, vectors.options().dtype(at::kLong));
  const auto block = std::max<int64_t>(1, kBlockElements / codebook.size(0));
  for (int64_t begin = 0; begin < vectors.size(0); begin += block) {
    const auto length = std::min(block, vectors.size(0) - begin);
    const auto distances = at::addmm(squares, vectors.narrow(0, begin, length), transposed, 1, -2);  // [length, K]
    indices.narrow(0, begin, length).copy_(distances.argmin(1));
  }
  return indices;
}

}  // namespace sparring
