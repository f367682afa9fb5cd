// PixMix (Hendrycks et al. 2022, arXiv 2112.05135): a view is mixed, up to four times, with a fractal or with a changed
// copy of itself, by sums or products of random weights.
#pragma once

#include <optional>
#include <vector>

#include "distill/views/draws.h"
#include "distill/views/fractal.h"
#include "distill/views/picture_ops.h"

namespace sparring {

struct PixMixRound {
  std::optional<PictureStep> change;  // mixed with the view changed so; without one, with the fractal
  bool product;                       // else a sum
  double own, other;                  // exponents or weights
};

struct PixMixPlan {
  std::optional<PictureStep> start;  // where the mixing begins: the view changed so, or as it is
  std::vector<PixMixRound> rounds;   // 0 to 4
  int64_t picture, top, left;        // the fractal and where the part that is used begins
  bool mirrored;
};

// spare: as of MixingPictures
PixMixPlan draw_pix_mix(Draws& draws, int64_t height, int64_t width, int64_t spare);

// in, out: [side, side, 3] in 0..1
void render(const PixMixPlan& plan, const MixingPictures& pictures, const float* in, float* out, int64_t side);

}  // namespace sparring
