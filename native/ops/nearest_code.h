// The nearest entry of a codebook, for vector quantisation (van den Oord et al. 2017, arXiv 1711.00937).
#pragma once

#include <torch/torch.h>

namespace sparring {

// vectors: [N, D], codebook: [K, D], both fp32 -> [N] int64, the index of the code with the least Euclidean distance, the
// lowest one of several. Works through the vectors in blocks: of the [N, K] distances 16 MB exist at a time.
at::Tensor nearest_code(const at::Tensor& vectors, const at::Tensor& codebook);

}  // namespace sparring
