// How a run of the sampler goes, whatever guides it.
#pragma once

#include "diffusion/sampler.h"

namespace sparring {

enum class SamplingStart { noise, image, inversion };  // see image_start.h

struct NullTextOptions {
  int64_t iterations = 0;  // Adam steps on the null condition at each step of the run; 0: it stays
  double learning_rate = 0.01;
};

struct SamplingOptions {
  SamplerOptions sampler;
  double guidance_scale = 1;  // of classifier-free guidance; 1 = off
  at::ScalarType dtype = at::kFloat;
  SamplingStart start = SamplingStart::noise;  // from images it is sampler.strength that says how far from them
  NullTextOptions null_text;  // of runs from inversion
};

}  // namespace sparring
