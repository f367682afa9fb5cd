#include "distill/views/rand_augment.h"

namespace sparring {
namespace {

constexpr int kLayers = 2;
constexpr double kProbability = 0.5, kMagnitude = 9, kMagnitudeDeviation = 0.5, kHighestMagnitude = 10;

// `level` in 0..1; more of it is a stronger change.
double value_at(PictureOp op, double level, Draws& draws, int64_t height, int64_t width) {
  switch (op) {
    case PictureOp::autocontrast:
    case PictureOp::equalize:
    case PictureOp::invert: return 0;
    case PictureOp::posterize: return std::max(1, 4 - static_cast<int>(level * 4));
    case PictureOp::solarize: return 256 - static_cast<int>(level * 256);
    case PictureOp::solarize_add: return static_cast<int>(level * 110);
    case PictureOp::colour:
    case PictureOp::contrast:
    case PictureOp::brightness:
    case PictureOp::sharpness: return 1 + draws.either_sign(level * 0.9);
    case PictureOp::rotate: return draws.either_sign(level * 30);
    case PictureOp::shear_x:
    case PictureOp::shear_y: return draws.either_sign(level * 0.3);
    case PictureOp::translate_x: return draws.either_sign(level * 0.45) * static_cast<double>(width);
    case PictureOp::translate_y: return draws.either_sign(level * 0.45) * static_cast<double>(height);
  }
  return 0;
}

}  // namespace

std::vector<PictureStep> draw_rand_augment(Draws& draws, int64_t height, int64_t width) {
  std::vector<PictureStep> steps;
  for (int layer = 0; layer < kLayers; ++layer) {
    const auto op = static_cast<PictureOp>(draws.integer(kPictureOpNames.size()));
    if (!(draws.uniform() < kProbability)) continue;
    const auto magnitude = std::clamp(kMagnitude + kMagnitudeDeviation * draws.normal(), 0.0, kHighestMagnitude);
    steps.push_back({op, value_at(op, magnitude / kHighestMagnitude, draws, height, width)});
  }
  return steps;
}

}  // namespace sparring
