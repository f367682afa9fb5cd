#include "distill/views/picture_ops.h"

#include "distill/views/enhance_ops.h"
#include "distill/views/geometric_ops.h"
#include "distill/views/tone_ops.h"

namespace sparring {

void apply(Picture& picture, const PictureStep& step, uint8_t fill) {
  const auto whole = static_cast<int>(step.value);
  const auto factor = static_cast<float>(step.value);
  switch (step.op) {
    case PictureOp::autocontrast: return autocontrast(picture);
    case PictureOp::equalize: return equalize(picture);
    case PictureOp::invert: return invert(picture);
    case PictureOp::posterize: return posterize(picture, whole);
    case PictureOp::solarize: return solarize(picture, whole);
    case PictureOp::solarize_add: return solarize_add(picture, whole);
    case PictureOp::colour: return enhance_colour(picture, factor);
    case PictureOp::contrast: return enhance_contrast(picture, factor);
    case PictureOp::brightness: return enhance_brightness(picture, factor);
    case PictureOp::sharpness: return enhance_sharpness(picture, factor);
    case PictureOp::rotate: return rotate(picture, step.value, fill);
    case PictureOp::shear_x: return shear_x(picture, step.value, fill);
    case PictureOp::shear_y: return shear_y(picture, step.value, fill);
    case PictureOp::translate_x: return translate_x(picture, step.value, fill);
    case PictureOp::translate_y: return translate_y(picture, step.value, fill);
  }
}

}  // namespace sparring
