// Where the tiles of a Winograd convolution lie, and which of the products of a transformed tile it needs. Internal to native/ops.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sparring::cpu {

// What changes the size of the image beside the convolution: nothing, doubling by nearest neighbours before it, or sums of 2x2 pixels
// after it, which is the gradient of doubling. Tiles are those of the larger image.
enum class Scale { same, doubled, halved };

// A tile is a square of 4x4 or 8x8 outputs, F(4x4, 3x3) or F(8x8, 3x3). A line of it has as many interpolation points as products: 0, 1, -1, some more,
// and infinity. The larger tile needs 1.44 times fewer products and errs by twenty times as much.
constexpr int64_t points_of(int64_t tile) { return tile + 2; }

// Of the positions of a transformed tile, one for a point of its rows and one of its columns, those that are kept, side by side. What comes in pairs of
// equal numbers is zero at the third point, -1, and nothing of it is in the sums of pairs.
constexpr int64_t side_of(Scale scale, int64_t tile) { return points_of(tile) - (scale == Scale::same ? 0 : 1); }
constexpr int64_t positions_of(Scale scale, int64_t tile) { return side_of(scale, tile) * side_of(scale, tile); }
// Where point i of a line is among those that are kept, or -1; and back.
constexpr int64_t slot(Scale scale, int64_t i) { return scale == Scale::same || i < 2 ? i : i == 2 ? -1 : i - 1; }
constexpr int64_t point_at(Scale scale, int64_t slot) { return scale == Scale::same || slot < 2 ? slot : slot + 1; }

// At the edge of an image a tile may have fewer outputs. An even number of them has transforms of its own, with as many of the first points as it
// needs and infinity. An odd number is one more without infinity, which is in the last of them alone. Filters are the same for all.
constexpr bool is_needed(int64_t point, int64_t outputs, int64_t tile) {
  if (point == points_of(tile) - 1) return outputs % 2 == 0;
  return point <= (outputs + 1) / 2 * 2;
}

// Products of a line of an image.
constexpr int64_t products_of(int64_t length, int64_t tile) {
  int64_t of_rest = 0;
  for (int64_t point = 0; point < points_of(tile); ++point) of_rest += length % tile > 0 && is_needed(point, length % tile, tile);
  return length / tile * points_of(tile) + of_rest;
}
static_assert(products_of(7, 4) == 7 + 2 * 2 && products_of(6, 4) == 6 + 2 * 2 && products_of(7, 8) == 7 + 2 && products_of(13, 8) == 13 + 2 * 2);

// Of the tiles, counted over images, rows and columns of each of four groups: at the right edge, inside, below, in the corner below. Whole tiles
// are inside; where the size is a multiple of the tile's there are no others. In this order those that need a position are neighbours.
class Tiling {
 public:
  Tiling(int64_t tile, int64_t images, int64_t height, int64_t width)
      : tile(tile), height(height), width(width), rows_(height / tile), columns_(width / tile), bottom_(height % tile), right_(width % tile) {
    ends_[0] = right_ == 0 ? 0 : images * rows_;
    ends_[1] = ends_[0] + images * rows_ * columns_;
    ends_[2] = ends_[1] + (bottom_ == 0 ? 0 : images * columns_);
    ends_[3] = ends_[2] + (bottom_ == 0 || right_ == 0 ? 0 : images);
  }

  const int64_t tile;           // side of a whole one
  const int64_t height, width;  // of the larger image

  int64_t count() const { return ends_[3]; }

  // The image, the first row and column of a tile, and how many it has of each.
  struct Place {
    int64_t image, row, column, rows, columns;
  };
  Place place(int64_t index) const {
    if (index < ends_[0]) return {index / rows_, index % rows_ * tile, width - right_, tile, right_};
    if (index < ends_[1]) {
      index -= ends_[0];
      return {index / (rows_ * columns_), index / columns_ % rows_ * tile, index % columns_ * tile, tile, tile};
    }
    if (index < ends_[2]) {
      index -= ends_[1];
      return {index / columns_, height - bottom_, index % columns_ * tile, bottom_, tile};
    }
    return {index - ends_[2], height - bottom_, width - right_, bottom_, right_};
  }

  struct Range {
    int64_t begin, count;
  };
  // Which of the tiles first..first + count - 1 need the product at points i and j: from the first of these on.
  Range needing(int64_t i, int64_t j, int64_t first, int64_t count) const {
    const bool below = is_needed(i, bottom_, tile), beside = is_needed(j, right_, tile);
    const int64_t begin = std::clamp(beside ? 0 : ends_[0], first, first + count);
    const int64_t end = std::clamp(below ? ends_[beside ? 3 : 2] : ends_[1], begin, first + count);
    return {begin - first, end - begin};
  }

 private:
  int64_t rows_, columns_, bottom_, right_;  // of whole tiles; outputs of the others
  int64_t ends_[4];                          // of the groups
};

}  // namespace sparring::cpu
