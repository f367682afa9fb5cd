// Adversarial prompts (Yeo et al. 2024, arXiv 2403.15309), without their guidance by text: what the generator is told of a
// class is moved, from where it is, so that a classifier fails on the images.
//
//   maximise over c_y:  E_z [ -log f_y(x0(z, c_y)) ],   x0(z, c) = a short chain from the noise z, told c
//
// Adam on the gradient through the chain, with new noise in each iteration; the last iterate counts.
#pragma once

#include <memory>
#include <vector>

#include "diffusion/denoiser.h"
#include "guidance/sampling_options.h"
#include "job.h"
#include "models/classifier.h"

namespace sparring {

struct AdversarialOptions {
  SamplingOptions sampling;    // from noise, by a sampler that does not remember
  std::vector<int64_t> seeds;  // of the noise: as many for each class in turn; an iteration draws from each anew
  int64_t iterations = 50;
  double learning_rate = 0.04;
  int64_t batch_size = 64;     // images at once, but all of a class; does not change what is found
  int64_t memory_bytes = int64_t{4} << 30;  // of activations, see steps_per_segment
};

// Changes the conditions of the classes of a denoiser with_own_conditions(); those of the null class stay.
void oppose(Denoiser& denoiser, const std::shared_ptr<Classifier>& classifier, const AdversarialOptions& options, const JobContext& job);

}  // namespace sparring
