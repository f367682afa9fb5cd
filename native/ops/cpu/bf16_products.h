// Sums of products of bf16 matrices, in fp32, by the instruction for pairs of bf16. Internal to native/ops/cpu.
#pragma once

#include <cstdint>

#include "ops/cpu/simd.h"

namespace sparring::cpu {

constexpr int64_t kTileRows = 8, kTileColumns = 32;

// Whether this processor and this build have the instruction (AVX512-BF16; GCC on Linux).
bool has_bf16_products();

// A product of a left matrix [rows, 2 * pairs] and a right one [2 * pairs, columns], by where they begin, in numbers.
struct Product {
  int64_t left, right;
};

// The left matrices of a sum: two numbers side by side for each row and pair.
struct Left {
  const Bf16* numbers;
  int64_t row_pitch, pair_pitch;  // numbers from one row, and from one pair, to the next
};

// sums: [8, 32], of which the first `rows` and `columns` are set, up to a multiple of 16 columns. The right matrices are panels [pairs, 32, 2]. Added up
// in the order of the products and of their pairs, whatever `rows` and `columns` are.
void sum_products(const Product* products, int64_t count, const Left& left, const Bf16* right, int64_t pairs, int64_t rows, int64_t columns, float* sums);

}  // namespace sparring::cpu
