// The common corruptions of Hendrycks & Dietterich 2019 (arXiv 1903.12261); docs/corruptions.md has their formulas.
#pragma once

#include <string>
#include <vector>

#include "corruptions/draws.h"
#include "corruptions/setting.h"
#include "distill/views/picture.h"
#include "job.h"

namespace sparring::corruptions {

// Changes a square picture.
using Corruption = void (*)(Picture& picture, const Setting& setting, Draws& draws);

void gaussian_noise(Picture&, const Setting&, Draws&);
void shot_noise(Picture&, const Setting&, Draws&);
void impulse_noise(Picture&, const Setting&, Draws&);
void speckle_noise(Picture&, const Setting&, Draws&);
void gaussian_blur(Picture&, const Setting&, Draws&);
void defocus_blur(Picture&, const Setting&, Draws&);
void glass_blur(Picture&, const Setting&, Draws&);
void motion_blur(Picture&, const Setting&, Draws&);
void zoom_blur(Picture&, const Setting&, Draws&);
void snow(Picture&, const Setting&, Draws&);
void frost(Picture&, const Setting&, Draws&);
void fog(Picture&, const Setting&, Draws&);
void spatter(Picture&, const Setting&, Draws&);
void brightness(Picture&, const Setting&, Draws&);
void saturate(Picture&, const Setting&, Draws&);
void contrast(Picture&, const Setting&, Draws&);
void elastic_transform(Picture&, const Setting&, Draws&);
void pixelate(Picture&, const Setting&, Draws&);
void jpeg_compression(Picture&, const Setting&, Draws&);

constexpr int64_t kSmallestSide = 32;

// The number by which a corruption draws; an error for a name that is none of these.
size_t corruption_number(const std::string& name);

// In place; pixels: [seeds.size(), side, side, 3]. What an image becomes depends on its own seed alone.
void corrupt(uint8_t* pixels, int64_t side, size_t number, int64_t severity, const std::vector<int64_t>& seeds, const JobContext& job);

}  // namespace sparring::corruptions
