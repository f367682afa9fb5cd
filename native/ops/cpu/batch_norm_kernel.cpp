// A batch is a matrix of positions by channels; narrow layers fold neighbouring positions into longer rows. It is cut into
// blocks of rows, by its shape alone: the same numbers whatever the number of threads. x is read twice each way, dy twice.
#include "ops/cpu/batch_norm_kernel.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/Parallel.h>

#include "ops/cpu/columns.h"
#include "ops/cpu/norm_rows.h"
#include "ops/cpu/with_type.h"

namespace sparring::cpu {
namespace {

constexpr int64_t kBlockElements = 1 << 15;  // of a block, unless that makes too many
constexpr int64_t kMaxBlocks = 256;          // enough for many threads

struct Matrix {
  int64_t channels, positions, fold = 1;  // positions per row
  int64_t blocks;

  explicit Matrix(const at::Tensor& x) : channels(x.size(1)), positions(x.numel() / x.size(1)) {
    while (positions % (2 * fold) == 0 && 2 * fold * channels <= kFoldedWidth) fold *= 2;
    blocks = std::clamp<int64_t>(x.numel() / kBlockElements, 1, std::min(kMaxBlocks, rows()));
  }

  int64_t rows() const { return positions / fold; }
  int64_t width() const { return fold * channels; }
  int64_t first_row(int64_t block) const { return rows() * block / blocks; }

  // Calls work(block, offset of its first element, its rows) for every block, in parallel.
  template <class Work>
  void for_each_block(const Work& work) const {
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) work(block, first_row(block) * width(), first_row(block + 1) - first_row(block));
    });
  }

  // An array of the columns of a row from one of the channels.
  std::vector<float> columns(const float* of_channels) const {
    std::vector<float> result;
    for (int64_t f = 0; f < fold; ++f) result.insert(result.end(), of_channels, of_channels + channels);
    return result;
  }
};

// The affine map of each column, from the saved statistics.
struct Columns {
  std::vector<float> mean, scale, bias;

  Columns(const Matrix& matrix, const at::Tensor& mean, const at::Tensor& variance, const at::Tensor& weight, const at::Tensor& bias, double eps)
      : mean(matrix.columns(mean.const_data_ptr<float>())), scale(matrix.columns(weight.const_data_ptr<float>())), bias(matrix.columns(bias.const_data_ptr<float>())) {
    for (size_t column = 0; column < scale.size(); ++column) {
      const double of_channel = variance.const_data_ptr<float>()[static_cast<int64_t>(column) % matrix.channels];
      scale[column] = static_cast<float>(scale[column] / std::sqrt(of_channel + eps));
    }
  }
};

// mean, variance: [C]
template <class T>
void moments(const T* x, const Matrix& matrix, float* mean, float* variance) {
  Scratch<double> means(matrix.blocks, matrix.width()), deviations(matrix.blocks, matrix.width());
  matrix.for_each_block([&](int64_t block, int64_t start, int64_t rows) {
    column_moments(x + start, rows, matrix.width(), matrix.width(), means[block], deviations[block]);
  });
  const auto positions = static_cast<double>(matrix.positions);
  for (int64_t c = 0; c < matrix.channels; ++c) {
    // Blocks and folds are merged as in Chan et al. 1983, about the mean of them all.
    double total = 0, spread = 0;
    const auto for_each_part = [&](const auto& visit) {
      for (int64_t block = 0; block < matrix.blocks; ++block) {
        const auto rows = static_cast<double>(matrix.first_row(block + 1) - matrix.first_row(block));
        for (int64_t column = c; column < matrix.width(); column += matrix.channels) visit(rows, means[block][column], deviations[block][column]);
      }
    };
    for_each_part([&](double rows, double of_part, double) { total += rows * of_part; });
    const double of_all = total / positions;
    for_each_part([&](double rows, double of_part, double squares) { spread += squares + rows * (of_part - of_all) * (of_part - of_all); });
    mean[c] = static_cast<float>(of_all);
    variance[c] = static_cast<float>(spread / positions);
  }
}

// sums, products: [C], those over all positions of dt and of dt * (x - mean), with dt the gradient before the activation
template <class T>
void gradient_sums(const T* dy, const T* x, const Matrix& matrix, const Columns& columns, Activation act, double* sums, double* products) {
  Scratch<double> block_sums(matrix.blocks, matrix.width()), block_products(matrix.blocks, matrix.width());
  matrix.for_each_block([&](int64_t block, int64_t start, int64_t rows) {
    Scratch<float> scratch(2, matrix.width());
    for (int64_t row = 0; row < rows; row += kFlushRows) {
      const int64_t at = start + row * matrix.width();
      differentiate_rows(dy + at, x + at, std::min(kFlushRows, rows - row), matrix.width(), matrix.width(), columns.mean.data(), columns.scale.data(),
                         columns.bias.data(), act, static_cast<T*>(nullptr), scratch[0], scratch[1]);
      for (int64_t c = 0; c < matrix.width(); ++c) block_sums[block][c] += scratch[0][c], block_products[block][c] += scratch[1][c];
    }
  });
  for (int64_t block = 0; block < matrix.blocks; ++block) {
    for (int64_t column = 0; column < matrix.width(); ++column) {
      sums[column % matrix.channels] += block_sums[block][column];
      products[column % matrix.channels] += block_products[block][column];
    }
  }
}

template <class T>
void input_gradient(const T* dy, const T* x, const Matrix& matrix, const Columns& columns, bool relu, const std::vector<float>& slopes, const std::vector<float>& offsets, T* dx) {
  matrix.for_each_block([&](int64_t, int64_t start, int64_t rows) {
    combine_rows(dy + start, x + start, rows, matrix.width(), matrix.width(), columns.mean.data(), columns.scale.data(), columns.bias.data(), relu,
                 slopes.data(), offsets.data(), dx + start);
  });
}

Activation activation(bool relu) { return relu ? Activation::relu : Activation::none; }

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps, bool relu) {
  const Matrix matrix(x);
  const auto y = at::empty_like(x, at::MemoryFormat::ChannelsLast);
  const auto mean = at::empty({matrix.channels}, weight.options()), variance = at::empty_like(mean);
  with_type_of(x, [&]<class T>(T*) {
    moments(data<T>(x), matrix, data<float>(mean), data<float>(variance));
    const Columns columns(matrix, mean, variance, weight, bias, eps);
    matrix.for_each_block([&](int64_t, int64_t start, int64_t rows) {
      normalise_rows(data<T>(x) + start, rows, matrix.width(), matrix.width(), columns.mean.data(), columns.scale.data(), columns.bias.data(), activation(relu),
                     data<T>(y) + start);
    });
  });
  return {y, mean, variance};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& variance,
                                                                   const at::Tensor& weight, const at::Tensor& bias, double eps, bool relu) {
  const Matrix matrix(x);
  const Columns columns(matrix, mean, variance, weight, bias, eps);
  const auto dx = at::empty_like(x, at::MemoryFormat::ChannelsLast);
  const auto dweight = at::empty_like(mean), dbias = at::empty_like(mean);
  with_type_of(x, [&]<class T>(T*) {
    std::vector<double> sums(matrix.channels), products(matrix.channels);
    gradient_sums(data<T>(dy), data<T>(x), matrix, columns, activation(relu), sums.data(), products.data());
    // Through the statistics: dx = scale * (dt - sum / N - (x - mean) * products / (N * (variance + eps)))
    std::vector<float> slopes(matrix.channels), offsets(matrix.channels);
    const auto positions = static_cast<double>(matrix.positions);
    for (int64_t c = 0; c < matrix.channels; ++c) {
      const double inverse = 1.0 / (static_cast<double>(data<float>(variance)[c]) + eps), scale = columns.scale[c];
      data<float>(dbias)[c] = static_cast<float>(sums[c]);
      data<float>(dweight)[c] = static_cast<float>(products[c] * std::sqrt(inverse));
      slopes[c] = static_cast<float>(-scale * products[c] * inverse / positions);
      offsets[c] = static_cast<float>(-scale * sums[c] / positions);
    }
    input_gradient(data<T>(dy), data<T>(x), matrix, columns, relu, matrix.columns(slopes.data()), matrix.columns(offsets.data()), data<T>(dx));
  });
  return {dx, dweight, dbias};
}

}  // namespace sparring::cpu
