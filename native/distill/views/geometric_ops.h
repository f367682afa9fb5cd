// Operations that move pixels: bilinear, places outside of the picture filled, as Pillow's affine transform does it.
// Each value says where a place of the result takes its colour from.
#pragma once

#include "distill/views/picture.h"

namespace sparring {

void rotate(Picture& picture, double degrees, uint8_t fill);  // counter-clockwise, around the centre
void shear_x(Picture& picture, double factor, uint8_t fill);  // columns to the right for each row further down
void shear_y(Picture& picture, double factor, uint8_t fill);
void translate_x(Picture& picture, double pixels, uint8_t fill);
void translate_y(Picture& picture, double pixels, uint8_t fill);

}  // namespace sparring
