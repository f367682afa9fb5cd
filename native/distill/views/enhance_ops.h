// Pillow's ImageEnhance: a picture is blended with a degenerate one, by a factor of which 1 leaves it as it is, 0 gives
// the degenerate one and more than 1 goes the other way. Results are cut off to integers, as there.
#pragma once

#include "distill/views/picture.h"

namespace sparring {

void enhance_colour(Picture& picture, float factor);      // from grey
void enhance_contrast(Picture& picture, float factor);    // from the mean grey
void enhance_brightness(Picture& picture, float factor);  // from black
void enhance_sharpness(Picture& picture, float factor);   // from a 3x3 smoothing, without the border

}  // namespace sparring
