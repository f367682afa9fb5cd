#include "ops/cpu/bf16_products.h"

#include "ops/cpu/lanes.h"
#include "ops/precision.h"

namespace sparring::cpu {
namespace {

// sum += a b of the first numbers of pairs of bf16 and of the second ones, in each of 16 lanes. In assembler, since compilers differ on the types of its builtin.
SPARRING_INLINE SPARRING_AVX512 void add_pairs(Vec& sum, const Words& a, const Words& b) {
#if defined(SPARRING_HAS_AVX512)
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#else
  sum += (Vec)(a << 16) * (Vec)(b << 16) + (Vec)(a & 0xffff0000) * (Vec)(b & 0xffff0000);
#endif
}

template <int rows, int vectors>
SPARRING_AVX512 void sum_tile(const Product* products, int64_t count, const Left& left, const Bf16* right, int64_t pairs, float* to) {
  Vec sums[rows][vectors];
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sums[row][v] = Vec{};
  }
  for (const auto* product = products; product < products + count; ++product) {
    const auto* a = left.numbers + product->left;
    const auto* b = right + product->right;
    for (int64_t pair = 0; pair < pairs; ++pair, a += left.pair_pitch, b += 2 * kTileColumns) {
      Words panel[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) std::memcpy(&panel[v], b + v * 2 * kLanes, sizeof(panel[v]));
#pragma GCC unroll 8  // or the sums would not stay in registers
      for (int row = 0; row < rows; ++row) {
        uint32_t numbers;
        std::memcpy(&numbers, a + row * left.row_pitch, sizeof(numbers));
        const Words everywhere = Words{} + numbers;
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) add_pairs(sums[row][v], everywhere, panel[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) store_lanes(to + row * kTileColumns + v * kLanes, sums[row][v]);
  }
}

using SumTile = void (*)(const Product*, int64_t, const Left&, const Bf16*, int64_t, float*);
template <int vectors>
constexpr SumTile kSumTile[kTileRows + 1] = {nullptr, sum_tile<1, vectors>, sum_tile<2, vectors>, sum_tile<3, vectors>, sum_tile<4, vectors>,
                                             sum_tile<5, vectors>, sum_tile<6, vectors>, sum_tile<7, vectors>, sum_tile<8, vectors>};

}  // namespace

bool has_bf16_products() {
#if defined(SPARRING_HAS_AVX512)
  static const bool has = __builtin_cpu_supports("x86-64-v4") && bf16_hardware().avx512;
  return has;
#else
  return false;
#endif
}

void sum_products(const Product* products, int64_t count, const Left& left, const Bf16* right, int64_t pairs, int64_t rows, int64_t columns, float* sums) {
  (columns <= kLanes ? kSumTile<1> : kSumTile<2>)[rows](products, count, left, right, pairs, sums);
}

}  // namespace sparring::cpu
