#include "distill/views/aug_mix.h"

namespace sparring {
namespace {

constexpr std::array kWeakOps{PictureOp::autocontrast, PictureOp::equalize, PictureOp::posterize, PictureOp::rotate,      PictureOp::solarize,
                              PictureOp::shear_x,      PictureOp::shear_y,  PictureOp::translate_x, PictureOp::translate_y};
constexpr double kLeastLevel = 0.01, kSeverity = 0.3;  // of 1
constexpr int kGreatestDepth = 3;

}  // namespace

PictureStep draw_weak_step(Draws& draws, int64_t height, int64_t width) {
  const auto op = kWeakOps[draws.integer(kWeakOps.size())];
  const auto level = draws.uniform(kLeastLevel, kSeverity);
  const auto whole = [&](double greatest) { return std::trunc(level * greatest); };
  switch (op) {
    case PictureOp::posterize: return {op, 4 - whole(4)};
    case PictureOp::solarize: return {op, 256 - whole(256)};
    case PictureOp::rotate: return {op, draws.either_sign(whole(30))};
    case PictureOp::shear_x:
    case PictureOp::shear_y: return {op, draws.either_sign(level * 0.3)};
    case PictureOp::translate_x: return {op, draws.either_sign(whole(static_cast<double>(width) / 3))};
    case PictureOp::translate_y: return {op, draws.either_sign(whole(static_cast<double>(height) / 3))};
    default: return {op, 0};
  }
}

AugMixPlan draw_aug_mix(Draws& draws, int64_t height, int64_t width) {
  AugMixPlan plan;
  plan.share = draws.uniform();
  double sum = 0;
  for (auto& weight : plan.weights) sum += weight = -std::log(1 - draws.uniform());  // Dirichlet: exponentials over their sum
  for (auto& weight : plan.weights) weight /= sum;
  for (auto& chain : plan.chains) {
    for (auto depth = 1 + draws.integer(kGreatestDepth); depth > 0; --depth) chain.push_back(draw_weak_step(draws, height, width));
  }
  return plan;
}

void render(const AugMixPlan& plan, const float* in, float* out, int64_t height, int64_t width) {
  const auto own = to_picture(in, height, width);
  const auto values = static_cast<int64_t>(own.pixels.size());
  for (int64_t i = 0; i < values; ++i) out[i] = static_cast<float>(1 - plan.share) * in[i];
  for (size_t chain = 0; chain < plan.chains.size(); ++chain) {
    auto picture = own;
    for (const auto& step : plan.chains[chain]) apply(picture, step, kAugMixFill);
    const auto weight = static_cast<float>(plan.share * plan.weights[chain] / 255);
    for (int64_t i = 0; i < values; ++i) out[i] += weight * static_cast<float>(picture.pixels[i]);
  }
}

}  // namespace sparring
