// resample() of sparring.node.
#pragma once

#include <napi.h>

namespace sparring::images {

// resample(pixels, { down: { length, start, from, to, first, count }, across, kernel }): promise of pixels. Computed on a thread of the pool, beside
// the event loop. The pixels must not change meanwhile; an array that has its memory for itself is empty
// afterwards.
Napi::Value resample_async(const Napi::CallbackInfo& info);

}  // namespace sparring::images
