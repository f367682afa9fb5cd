#include "ops/cpu/batch_conv_kernel.h"

#include <algorithm>
#include <vector>

#include <ATen/Parallel.h>

#include "ops/cpu/bf16_products.h"
#include "ops/cpu/lanes.h"
#include "ops/cpu/with_type.h"

namespace sparring::cpu {
namespace {

constexpr int64_t kPanelPair = 2 * kTileColumns;  // numbers of a panel for each pair of its rows

int64_t panels_of(int64_t columns) { return at::divup(columns, kTileColumns); }

// An output and an input pixel of an image, and the tap of the filter between them.
struct Contact {
  int64_t out, in, tap;
};

std::vector<Contact> contacts(const Window& window, int64_t height, int64_t width) {
  std::vector<Contact> all;
  const int64_t rows = window.outputs(height), columns = window.outputs(width);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      for (int64_t tap = 0; tap < window.taps(); ++tap) {
        const int64_t y = row * window.stride - window.padding + tap / window.kernel, x = column * window.stride - window.padding + tap % window.kernel;
        if (y >= 0 && y < height && x >= 0 && x < width) all.push_back({row * columns + column, y * width + x, tap});
      }
    }
  }
  return all;
}

// The products of sums, one after the other: those of sum i are from starts[i] to starts[i + 1].
struct Sums {
  std::vector<int64_t> starts;
  std::vector<Product> products;

  template <class Sum, class MakeProduct>
  Sums(int64_t count, const std::vector<Contact>& all, const Sum& sum_of, const MakeProduct& product_of) : starts(count + 1), products(all.size()) {
    for (const auto& contact : all) ++starts[sum_of(contact) + 1];
    for (int64_t i = 0; i < count; ++i) starts[i + 1] += starts[i];
    auto next = starts;
    for (const auto& contact : all) products[next[sum_of(contact)]++] = product_of(contact);
  }

  const Product* of(int64_t sum) const { return products.data() + starts[sum]; }
  int64_t count(int64_t sum) const { return starts[sum + 1] - starts[sum]; }
};

SPARRING_INLINE uint32_t bits(float value) {
  Bf16 rounded;
  store(&rounded, value);
  return rounded.bits;
}
SPARRING_INLINE uint32_t bits(Bf16 value) { return value.bits; }

// to[i] = (first[i], second[i])
template <class T>
SPARRING_INLINE void interleave(const T* first, const T* second, int64_t count, uint32_t* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] = bits(first[i]) | bits(second[i]) << 16;
}

SPARRING_SIMD void pair_rows(const float* first, const float* second, int64_t count, uint32_t* to) { interleave(first, second, count, to); }
SPARRING_SIMD void pair_rows(const Bf16* first, const Bf16* second, int64_t count, uint32_t* to) { interleave(first, second, count, to); }

SPARRING_SIMD void round_row(const float* from, int64_t count, Bf16* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) store(to + i, from[i]);
}
void round_row(const Bf16* from, int64_t count, Bf16* to) { std::copy_n(from, count, to); }

// filters: [count, 2 * pairs], at most 16 -> to: [pairs, 32] of pairs, of which 16 columns are set
template <class T>
SPARRING_AVX512 void spread_filters(const T* filters, int64_t count, int64_t pairs, uint32_t* to) {
  const int64_t pitch = at::divup(pairs, kLanes) * kLanes;
  std::vector<uint32_t> rounded(kLanes * pitch);  // [16, pitch]
  for (int64_t row = 0; row < count; ++row) round_row(filters + row * 2 * pairs, 2 * pairs, reinterpret_cast<Bf16*>(&rounded[row * pitch]));
  for (int64_t first = 0; first < pairs; first += kLanes) {
    Words rows[kLanes];
#pragma GCC unroll 16
    for (int64_t row = 0; row < kLanes; ++row) std::memcpy(&rows[row], &rounded[row * pitch + first], sizeof(rows[row]));
    transpose(rows);
    for (int64_t pair = 0; pair < std::min(kLanes, pairs - first); ++pair) std::memcpy(to + (first + pair) * kTileColumns, &rows[pair], sizeof(rows[pair]));
  }
}

at::Tensor numbers(at::IntArrayRef sizes) { return at::empty(sizes, at::kBFloat16); }

// [B, C, H, W] -> [H * W, B, C]
at::Tensor by_pixel(const at::Tensor& images) {
  const int64_t count = images.size(0), channels = images.size(1), pixels = images.size(2) * images.size(3);
  if (count == 1) return images;
  const auto result = numbers({pixels, count, channels});
  const auto* from = data<const Bf16>(images);
  auto* to = data<Bf16>(result);
  at::parallel_for(0, pixels, at::divup(4096, count * channels), [&](int64_t begin, int64_t end) {
    for (auto pixel = begin; pixel < end; ++pixel) {
      for (int64_t image = 0; image < count; ++image) {
        std::memcpy(to + (pixel * count + image) * channels, from + (image * pixels + pixel) * channels, channels * sizeof(Bf16));
      }
    }
  });
  return result;
}

// [B, C, H, W] -> [panels of C, H * W, pairs of B, 32, 2]; a last image without another is paired with zeros
at::Tensor paired_images(const at::Tensor& images) {
  const int64_t count = images.size(0), channels = images.size(1), pixels = images.size(2) * images.size(3), pairs = at::divup(count, 2);
  const auto result = numbers({panels_of(channels), pixels, pairs, kTileColumns, 2});
  const std::vector<Bf16> none(channels);
  const auto* from = data<const Bf16>(images);
  auto* to = reinterpret_cast<uint32_t*>(result.mutable_data_ptr());
  at::parallel_for(0, pixels, at::divup(4096, count * channels), [&](int64_t begin, int64_t end) {
    for (auto pixel = begin; pixel < end; ++pixel) {
      for (int64_t panel = 0; panel < panels_of(channels); ++panel) {
        for (int64_t pair = 0; pair < pairs; ++pair) {
          const int64_t channel = panel * kTileColumns;
          const auto* first = from + (2 * pair * pixels + pixel) * channels;
          const auto* second = 2 * pair + 1 < count ? first + pixels * channels : none.data();
          pair_rows(first + channel, second + channel, std::min(kTileColumns, channels - channel), to + ((panel * pixels + pixel) * pairs + pair) * kTileColumns);
        }
      }
    }
  });
  return result;
}

// sums, bias: [32], of which the first `columns` are stored
SPARRING_AVX512 void store_row(const float* sums, const float* bias, int64_t columns, Bf16* to) {
  for (int64_t column = 0; column < columns; column += kLanes) {
    Vec sum, offset;
    load_lanes(sums + column, sum);
    load_lanes(bias + column, offset);
    if (columns - column >= kLanes) {
      store_lanes(to + column, sum + offset);
    } else {
      Bf16 all[kLanes];
      store_lanes(all, sum + offset);
      std::copy_n(all, columns - column, to + column);
    }
  }
}

// target: [B, columns, H', W'], each of its pixels the sum of products of pixels of source [B, depth, H, W] and taps of the weight.
void multiply_images(const at::Tensor& source, const at::Tensor& weight, const Sums& sums, const at::Tensor& bias, const at::Tensor& target) {
  const int64_t count = source.size(0), depth = source.size(1), columns = target.size(1), pixels = target.size(2) * target.size(3);
  const auto images = by_pixel(source);
  const auto* left = data<const Bf16>(images);
  const auto* right = data<const Bf16>(weight);
  auto* to = data<Bf16>(target);
  at::parallel_for(0, panels_of(columns) * pixels, 1, [&](int64_t begin, int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const int64_t panel = i / pixels, pixel = i % pixels, column = panel * kTileColumns, own = std::min(kTileColumns, columns - column);
      float offsets[kTileColumns] = {};
      if (bias.defined()) std::copy_n(bias.const_data_ptr<float>() + column, own, offsets);
      for (int64_t image = 0; image < count; image += kTileRows) {
        alignas(64) float tile[kTileRows * kTileColumns];
        const int64_t rows = std::min(kTileRows, count - image);
        sum_products(sums.of(pixel), sums.count(pixel), {left + image * depth, depth, 2}, right + panel * weight.stride(0), depth / 2, rows, own, tile);
        for (int64_t row = 0; row < rows; ++row) {
          store_row(tile + row * kTileColumns, offsets, own, to + ((image + row) * pixels + pixel) * columns + column);
        }
      }
    }
  });
}

}  // namespace

bool batch_conv_takes(const at::Tensor& x, at::ScalarType type, int64_t in, int64_t out, const Window& window) {
  if (!has_bf16_products() || !x.is_cpu() || type != at::kBFloat16 || x.dim() != 4 || x.numel() == 0 || x.size(1) != in || in % 8 != 0 || out % 8 != 0) return false;
  return std::min(x.size(2), x.size(3)) + 2 * window.padding >= window.kernel;
}

at::Tensor batch_conv_weight(const at::Tensor& weight) {
  const auto filters = weight.contiguous(at::MemoryFormat::ChannelsLast);  // [O, k, k, I]
  const int64_t out = weight.size(0), in = weight.size(1), taps = weight.size(2) * weight.size(3), pairs = taps * in / 2;
  const auto result = numbers({panels_of(out), taps, in / 2, kTileColumns, 2});
  auto* to = reinterpret_cast<uint32_t*>(result.mutable_data_ptr());
  with_type_of(weight, [&]<class T>(T*) {
    const auto* from = data<const T>(filters);
    at::parallel_for(0, at::divup(out, kLanes), at::divup(4096, kLanes * taps * in), [&](int64_t begin, int64_t end) {
      for (auto group = begin; group < end; ++group) {
        const int64_t row = group * kLanes;
        spread_filters(from + row * taps * in, std::min(kLanes, out - row), pairs, to + row / kTileColumns * pairs * kTileColumns + row % kTileColumns);
      }
    });
  });
  return result;
}

at::Tensor batch_conv_transposed_weight(const at::Tensor& weight) {
  const auto filters = weight.contiguous(at::MemoryFormat::ChannelsLast);
  const int64_t out = weight.size(0), in = weight.size(1), taps = weight.size(2) * weight.size(3), pairs = out / 2;
  const auto result = numbers({panels_of(in), taps, pairs, kTileColumns, 2});
  auto* to = reinterpret_cast<uint32_t*>(result.mutable_data_ptr());
  with_type_of(weight, [&]<class T>(T*) {
    const auto* from = data<const T>(filters);
    at::parallel_for(0, pairs, at::divup(4096, taps * in), [&](int64_t begin, int64_t end) {
      for (auto pair = begin; pair < end; ++pair) {
        for (int64_t tap = 0; tap < taps; ++tap) {
          for (int64_t column = 0; column < in; column += kTileColumns) {
            const auto* first = from + (2 * pair * taps + tap) * in + column;
            pair_rows(first, first + taps * in, std::min(kTileColumns, in - column), to + ((column / kTileColumns * taps + tap) * pairs + pair) * kTileColumns);
          }
        }
      }
    });
  });
  return result;
}

at::Tensor batch_conv(const at::Tensor& x, const at::Tensor& weight, int64_t out_channels, const at::Tensor& bias, const Window& window) {
  const int64_t rows = window.outputs(x.size(2)), columns = window.outputs(x.size(3)), pixel = x.size(0) * x.size(1);
  const auto y = at::empty({x.size(0), out_channels, rows, columns}, x.options().memory_format(at::MemoryFormat::ChannelsLast));
  const Sums sums(rows * columns, contacts(window, x.size(2), x.size(3)), [](const Contact& contact) { return contact.out; },
                  [&](const Contact& contact) { return Product{contact.in * pixel, contact.tap * weight.stride(1)}; });
  multiply_images(x, weight, sums, bias, y);
  return y;
}

at::Tensor batch_conv_input_gradient(const at::Tensor& dy, const at::Tensor& weight, at::IntArrayRef sizes, const Window& window) {
  const int64_t pixel = dy.size(0) * dy.size(1);
  const auto dx = at::empty(sizes, dy.options().memory_format(at::MemoryFormat::ChannelsLast));
  const Sums sums(sizes[2] * sizes[3], contacts(window, sizes[2], sizes[3]), [](const Contact& contact) { return contact.in; },
                  [&](const Contact& contact) { return Product{contact.out * pixel, contact.tap * weight.stride(1)}; });
  multiply_images(dy, weight, sums, {}, dx);
  return dx;
}

at::Tensor batch_conv_weight_gradient(const at::Tensor& x, const at::Tensor& dy, const Window& window) {
  const int64_t in = x.size(1), out = dy.size(1), taps = window.taps(), pairs = at::divup(x.size(0), 2), pixel = pairs * kPanelPair;
  const auto dweight = at::empty({out, in, window.kernel, window.kernel}, x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  const Sums sums(taps, contacts(window, x.size(2), x.size(3)), [](const Contact& contact) { return contact.tap; },
                  [&](const Contact& contact) { return Product{contact.out * pixel, contact.in * pixel}; });
  const auto inputs = paired_images(x), outputs = paired_images(dy);
  const auto* left = data<const Bf16>(outputs);
  const auto* right = data<const Bf16>(inputs);
  auto* to = dweight.mutable_data_ptr<float>();  // [O, k, k, I]
  const int64_t tiles = out / kTileRows;
  at::parallel_for(0, panels_of(in) * taps * tiles, 1, [&](int64_t begin, int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const int64_t row = i % tiles * kTileRows, tap = i / tiles % taps, panel = i / tiles / taps, column = panel * kTileColumns, own = std::min(kTileColumns, in - column);
      alignas(64) float tile[kTileRows * kTileColumns];
      const Left rows{left + row / kTileColumns * outputs.stride(0) + row % kTileColumns * 2, 2, kPanelPair};
      sum_products(sums.of(tap), sums.count(tap), rows, right + panel * inputs.stride(0), pairs, kTileRows, own, tile);
      for (int64_t r = 0; r < kTileRows; ++r) std::copy_n(tile + r * kTileColumns, own, to + ((row + r) * taps + tap) * in + column);
    }
  });
  return dweight;
}

}  // namespace sparring::cpu
