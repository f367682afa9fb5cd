// Texts from JavaScript.
#pragma once

#include <napi.h>

#include "models/clip_text.h"

namespace sparring::node {

// Int32Array of length B * context length -> [B, context length] int64 on the encoder's device; each with its end token.
at::Tensor tokens(const Napi::Value& value, const ClipTextImpl& encoder);

}  // namespace sparring::node
