#include "models/zero_shot.h"

#include "error.h"

namespace sparring {
namespace {

at::Tensor unit(const at::Tensor& x) { return x / x.norm(2, -1, /*keepdim=*/true); }

}  // namespace

at::Tensor zero_shot_weights(ClipTextImpl& text, const at::Tensor& tokens, const JobContext& job) {
  if (!text.logit_scale.defined()) throw Error("weights", "A zero-shot head needs a logit scale, which this text encoder does not have.", "Use a whole CLIP model, not its text tower.");
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> directions;
  for (int64_t k = 0; k < tokens.size(0); ++k) {
    job.check();
    directions.push_back(unit(unit(text.forward(tokens[k])).mean(0)));
    job.progress(k + 1, tokens.size(0));
  }
  return text.logit_scale.exp() * at::stack(directions);
}

void set_head(Classifier& classifier, const at::Tensor& weights) {
  const auto head = head_names(classifier.options().architecture).front();
  const auto parameters = classifier.module().named_parameters();
  auto weight = parameters[head + ".weight"], bias = parameters[head + ".bias"];
  if (weight.sizes() != weights.sizes()) {
    throw Error("weights", c10::str("Zero-shot head: expected ", weight.sizes(), " [classes, channels of the image tower], found ", weights.sizes(), " from the text tower."),
                "Both towers must be of one CLIP model.");
  }
  const torch::NoGradGuard no_grad;
  weight.copy_(weights);
  bias.zero_();
  classifier.touch();
}

}  // namespace sparring
