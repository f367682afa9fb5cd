// Convolutions in bf16 whose matrices have the images of a batch as rows: every output pixel is a sum of one product for each input pixel under the
// filter, and what lies outside the image is no product. For small images of many, and for strides. Internal to native/ops.
#pragma once

#include <ATen/ATen.h>

namespace sparring::cpu {

// The filter of a convolution and how it moves, the same in rows and columns.
struct Window {
  int64_t kernel, stride, padding;

  int64_t outputs(int64_t side) const { return (side + 2 * padding - kernel) / stride + 1; }  // along a side of the image
  int64_t taps() const { return kernel * kernel; }
};

// Whether this processor has the kernel, and images x of so many channels, to so many, can be its own.
bool batch_conv_takes(const at::Tensor& x, at::ScalarType type, int64_t in, int64_t out, const Window& window);

// weight: [O, I, k, k] fp32 or bf16 -> bf16, for the convolution or for the gradient of its input: each tap as a matrix [I, O], or [O, I], in
// panels of 32 columns whose rows come in pairs, [panels, k * k, rows / 2, 32, 2].
at::Tensor batch_conv_weight(const at::Tensor& weight);
at::Tensor batch_conv_transposed_weight(const at::Tensor& weight);

// x: [B, I, H, W] channels-last in bf16, not empty; weight: from batch_conv_weight; bias: [O] fp32 or undefined -> [B, out_channels, H', W'] like x.
at::Tensor batch_conv(const at::Tensor& x, const at::Tensor& weight, int64_t out_channels, const at::Tensor& bias, const Window& window);
// dy: [B, O, H', W'] like y, weight: from batch_conv_transposed_weight, sizes: those of x -> the gradient of x. Bits of an image depend on it alone in
// both.
at::Tensor batch_conv_input_gradient(const at::Tensor& dy, const at::Tensor& weight, at::IntArrayRef sizes, const Window& window);
// x and dy like the ones above -> the gradient of the weight, [O, I, k, k] channels-last, fp32. It is one sum over all pixels of all images, 1e-6 to 1e-5 off.
// Bits do not depend on the number of threads.
at::Tensor batch_conv_weight_gradient(const at::Tensor& x, const at::Tensor& dy, const Window& window);

}  // namespace sparring::cpu
