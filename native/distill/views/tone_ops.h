// Operations that map each 8-bit value by a table, with the integer arithmetic of Pillow's ImageOps.
#pragma once

#include "distill/views/picture.h"

namespace sparring {

void autocontrast(Picture& picture);                  // each channel stretched to 0..255
void equalize(Picture& picture);                      // each channel's histogram flattened
void invert(Picture& picture);
void posterize(Picture& picture, int bits);           // the upper 1..8 bits are kept
void solarize(Picture& picture, int threshold);       // values from 0..256 on are inverted
void solarize_add(Picture& picture, int amount);      // added to values below 128, up to 255

}  // namespace sparring
