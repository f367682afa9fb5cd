// Blur along a line, as imagecorruptions has it after ImageMagick: half a Gaussian from each place on.
#pragma once

#include "corruptions/grid.h"

namespace sparring::corruptions {

// radius and sigma in pixels, angle in degrees
Grid<double> motion_blurred(const Grid<double>& grid, int64_t radius, double sigma, double angle);

}  // namespace sparring::corruptions
