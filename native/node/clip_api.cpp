#include <torch/torch.h>

#include "diffusion/denoiser.h"
#include "models/initialisation.h"
#include "models/zero_shot.h"
#include "node/api.h"
#include "node/network_checks.h"
#include "node/tokens.h"
#include "node/values.h"

namespace sparring::node {
namespace {

ClipTextOptions text_options(const Napi::Object& options) {
  const auto vocab = integer(options, "vocabSize"), context = integer(options, "contextLength"), end = integer(options, "endToken");
  const auto dim = integer(options, "dim"), depth = integer(options, "depth"), heads = integer(options, "heads");
  const auto mlp_dim = integer(options, "mlpDim"), projection = integer(options, "projection");
  require(in_range(vocab, 1 << 22) && in_range(context, 4096) && end >= 0 && end < vocab, "vocabSize and contextLength must be at least 1, and endToken below vocabSize.");
  require(in_range(dim, 8192) && in_range(depth, 200) && in_range(heads, dim) && dim % heads == 0, "dim, depth and heads must be at least 1, and heads must divide dim.");
  require(in_range(mlp_dim, 1 << 16) && projection >= 0 && projection <= 8192, "mlpDim must be at least 1, projection 0 to 8192.");
  return ClipTextOptions()
      .vocab_size(vocab)
      .context_length(context)
      .end_token(end)
      .dim(dim)
      .depth(depth)
      .heads(heads)
      .mlp_dim(mlp_dim)
      .projection(projection)
      .logit_scale(boolean(options, "logitScale"))
      .quick_gelu(text(options, "activation") == "quick-gelu")
      .norm_eps(number(options, "normEps"));
}

// {skip}: the last blocks, which are left out
int64_t skipped(const Napi::Value& options, const ClipTextImpl& encoder) {
  const auto skip = integer(options.As<Napi::Object>(), "skip");
  if (skip < 0 || skip >= encoder.options.depth()) throw Error("usage", c10::str("skip: expected 0 to ", encoder.options.depth() - 1, ", found ", skip, "."));
  return skip;
}

}  // namespace

at::Tensor tokens(const Napi::Value& value, const ClipTextImpl& encoder) {
  const auto length = encoder.options.context_length();
  const auto flat = labels(value, encoder.options.vocab_size());
  if (flat.numel() == 0 || flat.numel() % length != 0) throw Error("usage", c10::str("Tokens: expected texts of ", length, " tokens each, found ", flat.numel(), " tokens."));
  const auto texts = flat.view({-1, length});
  if (!(texts == encoder.options.end_token()).any(1).all().item<bool>()) throw Error("usage", "Tokens: expected an end-of-text token in every text.");
  return texts.to(encoder.pos_embed.device());
}

void register_clip(Api& api) {
  api.add_async("createTextEncoder", 1, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[0].As<Napi::Object>();
    return [spec = text_options(options), on = device(options), seed = seed(options)](const JobContext&) -> Finish {
      const Initialisation initialisation(seed);
      auto encoder = std::make_shared<ClipTextImpl>(spec);
      encoder->to(on);
      return [encoder](Napi::Env env) { return wrap(env, encoder); };
    };
  });

  // zeroShotHead(classifier, encoder, tokens, control): tokens [K * T * N], the T prompts of the first class, then of the next
  api.add_async("zeroShotHead", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto classifier = unwrap<Classifier>(info[0], "classifier");
    const auto encoder = unwrap<ClipTextImpl>(info[1], "text encoder");
    const auto texts = tokens(info[2], *encoder);
    const auto classes = classifier->options().num_classes;
    if (texts.size(0) % classes != 0) throw Error("usage", c10::str("Tokens: expected as many texts for each of ", classes, " classes, found ", texts.size(0), "."));
    return [classifier, encoder, texts = texts.view({classes, -1, texts.size(1)})](const JobContext& job) -> Finish {
      set_head(*classifier, zero_shot_weights(*encoder, texts, job));
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });

  // encodeTexts(encoder, tokens, {skip}): tokens [B * N] -> what setTexts would tell a generator, [B, N, dim]
  api.add_async("encodeTexts", 3, [](const Napi::CallbackInfo& info) -> Work {
    const auto encoder = unwrap<ClipTextImpl>(info[0], "text encoder");
    return [encoder, skip = skipped(info[2], *encoder), texts = tokens(info[1], *encoder)](const JobContext&) -> Finish {
      torch::NoGradGuard no_grad;
      auto states = encoder->states(texts, skip).to(at::kFloat).cpu();
      return [states](Napi::Env env) { return to_float32_array(env, states); };
    };
  });

  // setTexts(denoiser, encoder, tokens, {skip}): tokens [(K + 1) * N], one text for each class and, last, one for the null class
  api.add_async("setTexts", 4, [](const Napi::CallbackInfo& info) -> Work {
    const auto denoiser = unwrap<Denoiser>(info[0], "generator");
    const auto encoder = unwrap<ClipTextImpl>(info[1], "text encoder");
    return [denoiser, encoder, skip = skipped(info[3], *encoder), texts = tokens(info[2], *encoder)](const JobContext&) -> Finish {
      torch::NoGradGuard no_grad;
      denoiser->set_text(encoder->states(texts, skip));
      return [](Napi::Env env) { return env.Undefined(); };
    };
  });
}

}  // namespace sparring::node
