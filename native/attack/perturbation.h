// The ball in which an attack searches, and how it moves there: all in fp32, on images [B, 3, H, W] in 0..1.
#pragma once

#include <torch/torch.h>

namespace sparring {

enum class Norm { l2, linf };

struct Ball {
  Norm norm = Norm::l2;
  double epsilon = 0;  // radius, of the whole image for l2, of each value for linf
};

// A length that is given for 224 px images, at another size: for l2 times sqrt(H W) / 224, which keeps the root mean square
// of the change per value; that of linf is the same at any size.
double length_at_size(Norm norm, double length, const at::Tensor& images);

// The length of each image's change, [B].
at::Tensor lengths(const at::Tensor& change, Norm norm);

// The change of length 1 along which a loss with this gradient rises most, of each image; zero where the gradient is zero.
at::Tensor steepest(const at::Tensor& gradient, Norm norm);

// The images moved into the ball around `centre`, which is in 0..1, and clamped to 0..1: neither undoes the other.
at::Tensor project(const at::Tensor& images, const at::Tensor& centre, const Ball& ball);

// With `probability` a random point of the ball, else its centre; image i depends on seeds[i] only. For l2 a Gaussian direction
// of length epsilon, for linf uniform. Clamped to 0..1.
at::Tensor random_start(const at::Tensor& centre, const Ball& ball, double probability, at::ArrayRef<int64_t> seeds);

}  // namespace sparring
