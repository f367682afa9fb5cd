// Frost on glass, drawn: the photographs of the reference are not ours to give away.
#pragma once

#include "corruptions/draws.h"
#include "corruptions/grid.h"

namespace sparring::corruptions {

// [side, side, 3] in 0..255: feathers of ice on a clouded pane. Lengths go with the side.
Grid<double> frost_texture(int64_t side, Draws& draws);

}  // namespace sparring::corruptions
