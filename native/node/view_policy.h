#pragma once

#include "distill/views/view_policy.h"
#include "node/values.h"

namespace sparring::node {

// "none" | "randaugment" | "augmix" | "pixmix" under key "policy"
inline ViewPolicy view_policy(const Napi::Object& options) {
  const auto name = text(options, "policy");
  if (name == "none") return ViewPolicy::none;
  if (name == "randaugment") return ViewPolicy::rand_augment;
  if (name == "augmix") return ViewPolicy::aug_mix;
  if (name == "pixmix") return ViewPolicy::pix_mix;
  throw Error("usage", "policy: expected none, randaugment, augmix or pixmix, found " + name + ".");
}

}  // namespace sparring::node
