// A cloud-like field by the diamond-square algorithm on a torus.
#pragma once

#include "corruptions/draws.h"
#include "corruptions/grid.h"

namespace sparring::corruptions {

// Values in 0..1, for the smallest power of two that is at least `side`; decay: by how much the randomness falls from one scale to the next.
Grid<double> plasma(int64_t side, double decay, Draws& draws);

}  // namespace sparring::corruptions
