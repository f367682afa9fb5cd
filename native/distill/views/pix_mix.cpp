#include "distill/views/pix_mix.h"

#include "distill/views/aug_mix.h"

namespace sparring {
namespace {

constexpr int kMostRounds = 4;
constexpr double kBeta = 3;
constexpr float kLeastFactor = 1e-37f;  // negative powers of 0 would be infinite

// Beta(3, 1) and Beta(1, 3) by inversion.
double near_one(Draws& draws) { return std::pow(draws.uniform(), 1 / kBeta); }
double near_zero(Draws& draws) { return 1 - near_one(draws); }

PixMixRound draw_round(Draws& draws, int64_t height, int64_t width) {
  PixMixRound round{};
  if (draws.coin()) round.change = draw_weak_step(draws, height, width);
  round.product = draws.coin();
  const bool less = draws.coin();  // of the view itself
  round.own = less ? near_one(draws) : 1 + near_zero(draws);
  round.other = near_zero(draws) * (less ? 1 : -1);
  return round;
}

float mixed(float own, float other, const PixMixRound& round) {
  const auto a = static_cast<float>(round.own), b = static_cast<float>(round.other);
  const auto value = round.product ? std::pow(2 * own, a) * std::pow(std::max(2 * other, kLeastFactor), b) / 2
                                   : (a * (2 * own - 1) + b * (2 * other - 1) + 1) / 2;
  return std::clamp(value, 0.0f, 1.0f);
}

}  // namespace

PixMixPlan draw_pix_mix(Draws& draws, int64_t height, int64_t width, int64_t spare) {
  PixMixPlan plan{};
  plan.picture = draws.integer(MixingPictures::kCount);
  plan.top = draws.integer(spare + 1);
  plan.left = draws.integer(spare + 1);
  plan.mirrored = draws.coin();
  if (draws.coin()) plan.start = draw_weak_step(draws, height, width);
  for (auto rounds = draws.integer(kMostRounds + 1); rounds > 0; --rounds) plan.rounds.push_back(draw_round(draws, height, width));
  return plan;
}

void render(const PixMixPlan& plan, const MixingPictures& pictures, const float* in, float* out, int64_t side) {
  const auto values = side * side * 3;
  std::vector<float> other(static_cast<size_t>(values));
  const auto changed = [&](const PictureStep& step, float* into) {
    auto picture = to_picture(in, side, side);
    apply(picture, step, kAugMixFill);
    to_floats(picture, into);
  };
  if (plan.start) changed(*plan.start, out);
  else std::copy(in, in + values, out);
  for (const auto& round : plan.rounds) {
    if (round.change) changed(*round.change, other.data());
    else pictures.cut(plan.picture, plan.top, plan.left, plan.mirrored, other.data());
    for (int64_t i = 0; i < values; ++i) out[i] = mixed(out[i], other[i], round);
  }
}

}  // namespace sparring
