#include "ops/geglu.h"

namespace sparring {

at::Tensor geglu(const at::Tensor& x) {
  const auto halves = x.chunk(2, -1);
  return halves[0] * at::gelu(halves[1]);
}

}  // namespace sparring
