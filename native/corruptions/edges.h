// What the spatter needs of OpenCV: edges by Canny, distances to them, equalisation of the histogram, filters of 3 x 3.
#pragma once

#include <array>

#include "corruptions/grid.h"

namespace sparring::corruptions {

// True on an edge. The thresholds of the gradient, |dx| + |dy| of a Sobel filter: above `high`, or above `low` and connected.
Grid<uint8_t> canny_edges(const Grid<uint8_t>& image, int low, int high);

// Chamfer distance (5 x 5) of each place to the nearest edge, in pixels; huge where there is none.
Grid<float> distances(const Grid<uint8_t>& edges);

void equalise(Grid<uint8_t>& image);

// kernel: rows from top to bottom
Grid<double> filtered_3x3(const Grid<double>& grid, const std::array<double, 9>& kernel);

}  // namespace sparring::corruptions
