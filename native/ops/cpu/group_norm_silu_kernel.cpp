// Work is split into units of one sample and a run of whole groups. A unit is read twice each way, the second time from
// the cache. Loops run over channels, which lie side by side; narrow layers fold neighbouring positions into longer
// rows.
#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include "ops/cpu/columns.h"
#include "ops/cpu/norm_rows.h"
#include "ops/cpu/with_type.h"

namespace sparring::cpu {
namespace {

// One sample and a run of its groups, seen as rows of `width` = fold * channels columns.
struct Unit {
  int64_t sample, first_group, num_groups, group_channels, fold;
  int64_t rows, stride;
  int64_t start;  // of the first element in x

  int64_t first_channel() const { return first_group * group_channels; }
  int64_t width() const { return fold * num_groups * group_channels; }
  double group_size() const { return static_cast<double>(rows * fold * group_channels); }

  // Calls visit(column, channel, group) for every column; channel and group are counted from the unit's first.
  template <class Visit>
  void for_each_column(const Visit& visit) const {
    int64_t column = 0;
    for (int64_t f = 0; f < fold; ++f) {
      for (int64_t group = 0, channel = 0; group < num_groups; ++group) {
        for (int64_t c = 0; c < group_channels; ++c) visit(column++, channel++, group);
      }
    }
  }
};

struct Layout {
  int64_t batch, channels, positions, groups;
  int64_t runs;      // units per sample: one, unless there are fewer samples than threads
  int64_t fold = 1;  // positions per row

  Layout(const at::Tensor& x, int64_t groups)
      : batch(x.size(0)), channels(x.size(1)), positions(x.size(2) * x.size(3)), groups(groups),
        runs(std::clamp<int64_t>((at::get_num_threads() + batch - 1) / batch, 1, groups)) {
    while (runs == 1 && positions % (2 * fold) == 0 && 2 * fold * channels <= kFoldedWidth) fold *= 2;
  }

  // Calls work(unit) for every unit, in parallel.
  template <class Work>
  void for_each_unit(const Work& work) const {
    const int64_t group_channels = channels / groups, elements = std::max<int64_t>(positions * channels / runs, 1);
    at::parallel_for(0, batch * runs, at::divup(at::internal::GRAIN_SIZE, elements), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t sample = i / runs, run = i % runs, first = groups * run / runs;
        work(Unit{.sample = sample, .first_group = first, .num_groups = groups * (run + 1) / runs - first,
                  .group_channels = group_channels, .fold = fold, .rows = positions / fold, .stride = channels * fold,
                  .start = sample * positions * channels + first * group_channels});
      }
    });
  }
};

Activation activation(bool silu) { return silu ? Activation::silu : Activation::none; }

// mean, rstd: the unit's part of the saved statistics, [num_groups].
template <class T>
void group_moments(const T* x, const Unit& unit, double eps, float* mean, float* rstd) {
  Scratch<double> column(2, unit.width()), group(2, unit.num_groups);
  double *means = column[0], *deviations = column[1], *group_mean = group[0], *group_deviations = group[1];
  column_moments(x, unit.rows, unit.stride, unit.width(), means, deviations);
  const double share = 1.0 / static_cast<double>(unit.fold * unit.group_channels);
  const auto rows = static_cast<double>(unit.rows);
  unit.for_each_column([&](int64_t c, int64_t, int64_t g) { group_mean[g] += means[c] * share; });
  unit.for_each_column([&](int64_t c, int64_t, int64_t g) {
    const double delta = means[c] - group_mean[g];
    group_deviations[g] += deviations[c] + rows * delta * delta;
  });
  for (int64_t g = 0; g < unit.num_groups; ++g) {
    mean[g] = static_cast<float>(group_mean[g]);
    rstd[g] = static_cast<float>(1.0 / std::sqrt(group_deviations[g] / unit.group_size() + eps));
  }
}

template <class T>
void forward(const T* x, T* y, float* mean, float* rstd, const float* weight, const float* bias, const Layout& layout,
             double eps, bool silu) {
  layout.for_each_unit([&](const Unit& unit) {
    float* const unit_mean = mean + unit.sample * layout.groups + unit.first_group;
    float* const unit_rstd = rstd + unit.sample * layout.groups + unit.first_group;
    group_moments(x + unit.start, unit, eps, unit_mean, unit_rstd);

    Scratch<float> scratch(3, unit.width());
    float *means = scratch[0], *scales = scratch[1], *biases = scratch[2];
    unit.for_each_column([&](int64_t column, int64_t c, int64_t g) {
      means[column] = unit_mean[g];
      scales[column] = unit_rstd[g] * weight[unit.first_channel() + c];
      biases[column] = bias[unit.first_channel() + c];
    });
    normalise_rows(x + unit.start, unit.rows, unit.stride, unit.width(), means, scales, biases, activation(silu), y + unit.start);
  });
}

// sums, products: [B, C], the sums over positions of dt and of dt * (x - mean), with dt the gradient before SiLU.
template <class T>
void backward(const T* dy, const T* x, T* dx, const float* mean, const float* rstd, const float* weight,
              const float* bias, const Layout& layout, bool silu, float* sums, float* products) {
  layout.for_each_unit([&](const Unit& unit) {
    const int64_t width = unit.width(), first_channel = unit.first_channel();
    const float* const unit_mean = mean + unit.sample * layout.groups + unit.first_group;
    const float* const unit_rstd = rstd + unit.sample * layout.groups + unit.first_group;
    Scratch<float> scratch(7, width);
    float *means = scratch[0], *scales = scratch[1], *biases = scratch[2], *sum = scratch[3], *product = scratch[4];
    float *slopes = scratch[5], *offsets = scratch[6];
    unit.for_each_column([&](int64_t column, int64_t c, int64_t g) {
      means[column] = unit_mean[g];
      scales[column] = unit_rstd[g] * weight[first_channel + c];
      biases[column] = bias[first_channel + c];
    });

    // dt is kept in dx, in the type of x, as the unfused operators keep it between them.
    Scratch<double> column(2, width);
    double *column_sum = column[0], *column_product = column[1];
    for (int64_t row = 0; row < unit.rows; row += kFlushRows) {
      const int64_t at = unit.start + row * unit.stride;
      differentiate_rows(dy + at, x + at, std::min(kFlushRows, unit.rows - row), unit.stride, width, means, scales,
                         biases, activation(silu), dx + at, sum, product);
      for (int64_t c = 0; c < width; ++c) column_sum[c] += sum[c], column_product[c] += product[c];
    }

    Scratch<double> group(2, unit.num_groups);
    double *of_mean = group[0], *of_scale = group[1];  // what reaches x through the statistics
    const int64_t saved = unit.sample * layout.channels + first_channel;
    unit.for_each_column([&](int64_t column, int64_t c, int64_t g) {
      of_mean[g] += column_sum[column] * weight[first_channel + c];
      of_scale[g] += column_product[column] * weight[first_channel + c];
      sums[saved + c] += static_cast<float>(column_sum[column]);
      products[saved + c] += static_cast<float>(column_product[column]);
    });
    unit.for_each_column([&](int64_t column, int64_t, int64_t g) {
      const double r = unit_rstd[g];
      slopes[column] = static_cast<float>(-r * r * r * of_scale[g] / unit.group_size());
      offsets[column] = static_cast<float>(-r * of_mean[g] / unit.group_size());
    });
    combine_rows((silu ? dx : dy) + unit.start, x + unit.start, unit.rows, unit.stride, width, means, scales, biases,
                 /*relu=*/false, slopes, offsets, dx + unit.start);
  });
}

at::Tensor as_fp32(const at::Tensor& tensor) { return tensor.to(at::kFloat).contiguous(); }

std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm_silu(const at::Tensor& x, int64_t groups, const at::Tensor& given_weight,
                                                               const at::Tensor& given_bias, double eps, bool silu) {
  const Layout layout(x, groups);
  const auto weight = as_fp32(given_weight), bias = as_fp32(given_bias);
  const auto statistics = x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous);
  const auto y = at::empty_like(x, at::MemoryFormat::ChannelsLast);
  const auto mean = at::empty({layout.batch, groups}, statistics), rstd = at::empty({layout.batch, groups}, statistics);
  with_type_of(x, [&]<class T>(T*) {
    forward(data<T>(x), data<T>(y), data<float>(mean), data<float>(rstd), data<float>(weight), data<float>(bias), layout,
            eps, silu);
  });
  return {y, mean, rstd};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm_silu_backward(const at::Tensor& dy, const at::Tensor& x,
                                                                        const at::Tensor& mean, const at::Tensor& rstd,
                                                                        const at::Tensor& given_weight, const at::Tensor& given_bias,
                                                                        bool silu, bool weight_gradients) {
  const Layout layout(x, mean.size(1));
  const auto weight = as_fp32(given_weight), bias = as_fp32(given_bias);
  const auto dx = at::empty_like(x, at::MemoryFormat::ChannelsLast);
  const auto sums = at::zeros({layout.batch, layout.channels}, mean.options()), products = at::zeros_like(sums);
  with_type_of(x, [&]<class T>(T*) {
    backward(data<T>(dy), data<T>(x), data<T>(dx), data<float>(mean), data<float>(rstd), data<float>(weight),
             data<float>(bias), layout, silu, data<float>(sums), data<float>(products));
  });
  if (!weight_gradients) return {dx, at::Tensor(), at::Tensor()};
  const auto scaled = products * rstd.repeat_interleave(layout.channels / layout.groups, 1);
  return {dx, scaled.sum(0), sums.sum(0)};
}

}  // namespace

TORCH_LIBRARY_IMPL(sparring, CPU, library) {
  library.impl("group_norm_silu", group_norm_silu);
  library.impl("group_norm_silu_backward", group_norm_silu_backward);
}

}  // namespace sparring::cpu
