#pragma once

#include "distill/augment.h"
#include "node/values.h"

namespace sparring::node {

inline AugmentOptions augment_options(const Napi::Object& options) {
  AugmentOptions result;
  result.flip = boolean(options, "flip");
  result.crop_padding = integer(options, "cropPadding");
  result.zoom = number(options, "zoom");
  result.brightness = number(options, "brightness");
  result.contrast = number(options, "contrast");
  result.saturation = number(options, "saturation");
  result.hue = number(options, "hue");
  return result;
}

}  // namespace sparring::node
