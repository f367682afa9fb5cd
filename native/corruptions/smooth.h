// Gaussian smoothing as SciPy's gaussian_filter.
#pragma once

#include "corruptions/grid.h"

namespace sparring::corruptions {

// sigma in pixels, 0 leaves the grid as it is; the kernel ends at `reach` sigmas.
void smooth(Grid<double>& grid, double sigma, Border border = Border::replicate, double reach = 4);

}  // namespace sparring::corruptions
