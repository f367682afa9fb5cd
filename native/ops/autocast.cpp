#include "ops/autocast.h"

#include <ATen/autocast_mode.h>

namespace sparring {

AutocastGuard::AutocastGuard(at::DeviceType device, bool enabled)
    : device_(device), previous_(at::autocast::is_autocast_enabled(device)) {
  at::autocast::set_autocast_enabled(device_, enabled);
  if (enabled) at::autocast::set_autocast_dtype(device_, at::kBFloat16);
}

AutocastGuard::~AutocastGuard() {
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, previous_);
}

at::ScalarType computed_type(const at::Tensor& x) {
  const auto device = x.device().type();
  return x.scalar_type() == at::kFloat && at::autocast::is_autocast_enabled(device) ? at::autocast::get_autocast_dtype(device) : x.scalar_type();
}

}  // namespace sparring
