// The operations that policies choose from, by name, each with one value.
#pragma once

#include <array>
#include <string_view>

#include "distill/views/picture.h"

namespace sparring {

enum class PictureOp {
  autocontrast, equalize, invert, posterize, solarize, solarize_add,  // tone_ops.h
  colour, contrast, brightness, sharpness,                            // enhance_ops.h
  rotate, shear_x, shear_y, translate_x, translate_y,                 // geometric_ops.h
};

// In the order of PictureOp.
inline constexpr std::array<std::string_view, 15> kPictureOpNames{
    "autocontrast", "equalize", "invert", "posterize", "solarize", "solarize-add", "colour",     "contrast",
    "brightness",   "sharpness", "rotate", "shear-x",   "shear-y",  "translate-x",  "translate-y"};

struct PictureStep {
  PictureOp op;
  double value;  // bits, threshold, amount, factor, degrees or pixels; 0 where the operation takes none
};

// `fill` is what comes in from outside of the picture, in all channels.
void apply(Picture& picture, const PictureStep& step, uint8_t fill);

}  // namespace sparring
