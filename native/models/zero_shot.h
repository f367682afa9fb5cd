// The head of a zero-shot classifier (Radford et al. 2021, arXiv 2103.00020, section 3.1.4): texts in place of weights.
#pragma once

#include <torch/torch.h>

#include "job.h"
#include "models/classifier.h"
#include "models/clip_text.h"

namespace sparring {

// tokens: [K, T, N] int64, T prompts for each of K classes -> [K, projection]: the direction of the mean of the prompts'
// unit embeddings, times the logit scale, so that its product with a unit image embedding is CLIP's logit.
at::Tensor zero_shot_weights(ClipTextImpl& text, const at::Tensor& tokens, const JobContext& job);

// Makes `weights` [K, projection] the head of an image tower. Throws Error "weights" if they are of other channels.
void set_head(Classifier& classifier, const at::Tensor& weights);

}  // namespace sparring
