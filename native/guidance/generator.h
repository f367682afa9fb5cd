// Generation of a batch of images with soft labels, unguided or guided: by the disagreement of two classifiers, or by prototypes.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "guidance/chain_guidance.h"
#include "guidance/prototype_guidance.h"
#include "guidance/step_guidance.h"

namespace sparring {

struct GenerateOptions {
  std::vector<int64_t> classes;  // class to draw, per image
  std::vector<int64_t> seeds;    // seed of the initial noise, per image
  at::Tensor start_images;       // [N, H, W, 3] uint8, where sampling.start is not noise
  at::Tensor told;               // [N, tokens, text_channels] fp32: conditions of the images in place of those of their classes; or undefined
  SamplingOptions sampling;
  std::variant<std::monostate, StepGuidanceOptions, ChainGuidanceOptions, PrototypeGuidanceOptions> guidance;
  int64_t batch_size = 64;  // images at once; does not change the images
  // The gradients that guide the first batch are compared with the exact ones, unless they are that.
  bool compare_gradients = false;
};

struct Generated {
  at::Tensor images;                  // [N, H, W, 3] uint8
  at::Tensor teacher_probabilities;   // [N, K] fp32, of the stored 8-bit image; undefined without a teacher
  at::Tensor student_probabilities;   // [N, K] fp32, likewise
  at::Tensor gradient_cosines;        // [images of the first batch] fp32, mean over the guided steps, of a chain the first, NaN where all gradients are zero; undefined where nothing was compared
};

Generated generate(Denoiser& denoiser, const Opponents& opponents, const GenerateOptions& options, const JobContext& job);

}  // namespace sparring
