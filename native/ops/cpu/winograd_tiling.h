// Where the tiles of a Winograd convolution lie, and which of the products of a transformed tile it needs. Internal to native/ops.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sparring::cpu {

constexpr int64_t kTile = 4;  // side of a tile of the output

// What changes the size of the image beside the convolution: nothing, doubling by nearest neighbours before it, or sums of 2x2 pixels
// after it, which is the gradient of doubling. Tiles are those of the larger image.
enum class Scale { same, doubled, halved };

// Of the 6x6 positions of a transformed tile those that are kept, side by side. What comes in pairs of equal numbers is zero at the third of six, and
// nothing of the third is in the sums of pairs.
constexpr int64_t side_of(Scale scale) { return scale == Scale::same ? 6 : 5; }
constexpr int64_t positions_of(Scale scale) { return side_of(scale) * side_of(scale); }
// Where position i of a line of six is among those that are kept, or -1; and back.
constexpr int64_t slot(Scale scale, int64_t i) { return scale == Scale::same || i < 2 ? i : i == 2 ? -1 : i - 1; }
constexpr int64_t position_at(Scale scale, int64_t slot) { return scale == Scale::same || slot < 2 ? slot : slot + 1; }

// The interpolation points of a line are 0, 1, -1, 2, -2 and infinity. At the edge of an image a tile may have less than four outputs. Three are
// those of four without infinity, which is in the fourth alone. Two have transforms of their own, F(2, 3), with 0, 1, -1 and infinity, whose
// filters are the same; and one is that without infinity.
constexpr bool has_few(int64_t outputs) { return outputs <= 2; }
constexpr bool is_needed(int64_t position, int64_t outputs) {
  if (position == 5) return outputs % 2 == 0;
  return position < (has_few(outputs) ? 3 : 5);
}

// Products of a line of an image.
constexpr int64_t products_of(int64_t length) {
  int64_t of_rest = 0;
  for (int64_t position = 0; position < 6; ++position) of_rest += length % kTile > 0 && is_needed(position, length % kTile);
  return length / kTile * 6 + of_rest;
}
static_assert(products_of(7) == 11 && products_of(6) == 10 && products_of(5) == 9);

// Of the tiles, counted over images, rows and columns of each of four groups: at the right edge, inside, below, in the corner below. Whole tiles
// are inside; where the size is a multiple of four there are no others. In this order those that need a position are neighbours.
class Tiling {
 public:
  Tiling(int64_t images, int64_t height, int64_t width)
      : height(height), width(width), rows_(height / kTile), columns_(width / kTile), bottom_(height % kTile), right_(width % kTile) {
    ends_[0] = right_ == 0 ? 0 : images * rows_;
    ends_[1] = ends_[0] + images * rows_ * columns_;
    ends_[2] = ends_[1] + (bottom_ == 0 ? 0 : images * columns_);
    ends_[3] = ends_[2] + (bottom_ == 0 || right_ == 0 ? 0 : images);
  }

  const int64_t height, width;  // of the larger image

  int64_t count() const { return ends_[3]; }

  // The image, the first row and column of a tile, and how many it has of each.
  struct Place {
    int64_t image, row, column, rows, columns;
  };
  Place place(int64_t tile) const {
    if (tile < ends_[0]) return {tile / rows_, tile % rows_ * kTile, width - right_, kTile, right_};
    if (tile < ends_[1]) {
      tile -= ends_[0];
      return {tile / (rows_ * columns_), tile / columns_ % rows_ * kTile, tile % columns_ * kTile, kTile, kTile};
    }
    if (tile < ends_[2]) {
      tile -= ends_[1];
      return {tile / columns_, height - bottom_, tile % columns_ * kTile, bottom_, kTile};
    }
    return {tile - ends_[2], height - bottom_, width - right_, bottom_, right_};
  }

  struct Range {
    int64_t begin, count;
  };
  // Which of the tiles first..first + count - 1 need the product of row i and column j of the six: from the first of these on.
  Range needing(int64_t i, int64_t j, int64_t first, int64_t count) const {
    const bool below = is_needed(i, bottom_), beside = is_needed(j, right_);
    const int64_t begin = std::clamp(beside ? 0 : ends_[0], first, first + count);
    const int64_t end = std::clamp(below ? ends_[beside ? 3 : 2] : ends_[1], begin, first + count);
    return {begin - first, end - begin};
  }

 private:
  int64_t rows_, columns_, bottom_, right_;  // of whole tiles; outputs of the others
  int64_t ends_[4];                          // of the groups
};

}  // namespace sparring::cpu
