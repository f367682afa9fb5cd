// Pictures to mix in: fractals of iterated function systems, made here and now. Their number alone says what they look like.
#pragma once

#include <vector>

#include "distill/views/picture.h"

namespace sparring {

Picture fractal(int64_t number, int64_t side);

// The pictures that PixMix takes its own from, a little larger than the views, which are cut out of them.
class MixingPictures {
 public:
  static constexpr int64_t kCount = 256;

  explicit MixingPictures(int64_t view_side);

  // Places by which a view can be shifted within a picture, in each direction.
  int64_t spare() const { return spare_; }
  // out: [side, side, 3] in 0..1, the part of a picture that begins at (top, left) in 0..spare
  void cut(int64_t picture, int64_t top, int64_t left, bool mirrored, float* out) const;

 private:
  int64_t side_, spare_;
  std::vector<Picture> pictures_;
};

}  // namespace sparring
