// The products of matrices of Winograd's convolutions, in fp32. They come in sixteens of channels. Internal to native/ops/cpu.
#pragma once

#include <cstdint>

namespace sparring::cpu {

constexpr int64_t kPanel = 32;  // columns of a panel of weights

// a: [rows, depth], panels: [ceil(columns / 32), depth, 32] -> c: [rows, columns]; columns: a multiple of 16
void multiply_panels(const float* a, const float* panels, int64_t rows, int64_t depth, int64_t columns, float* c);
// a: [depth, rows] of rows of a_pitch numbers, b: [depth, columns] of b_pitch -> c: [rows, columns] of c_pitch, a^T b, added to c if `adds`.
// rows: a multiple of 4, columns: of 16.
void multiply_transposed(const float* a, int64_t a_pitch, const float* b, int64_t b_pitch, int64_t rows, int64_t depth, int64_t columns, bool adds,
                         float* c, int64_t c_pitch);

}  // namespace sparring::cpu
