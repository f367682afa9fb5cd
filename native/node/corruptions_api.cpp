// The common corruptions of images.
#include "corruptions/corruption.h"
#include "node/api.h"
#include "node/values.h"

namespace sparring::node {

void register_corruptions(Api& api) {
  // corrupt(images, {kind, severity, size, seeds}, control) -> images
  api.add_async("corrupt", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[1].As<Napi::Object>();
    const auto size = integer(options, "size"), severity = integer(options, "severity");
    if (size < corruptions::kSmallestSide) throw Error("usage", c10::str("corrupt: expected images of at least ", corruptions::kSmallestSide, " px, found ", size, " px."));
    if (severity < 1 || severity > 5) throw Error("usage", c10::str("corrupt: expected a severity in 1..5, found ", severity, "."));
    const auto number = corruptions::corruption_number(text(options, "kind"));
    auto batch = images(info[0], size);  // [B, size, size, 3], a copy
    auto seeds = integers(options, "seeds");
    if (static_cast<int64_t>(seeds.size()) != batch.size(0)) throw Error("usage", c10::str("corrupt: expected one seed for each of ", batch.size(0), " images, found ", seeds.size(), "."));
    return [batch, size, number, severity, seeds = std::move(seeds)](const JobContext& job) -> Finish {
      corruptions::corrupt(batch.data_ptr<uint8_t>(), size, number, severity, seeds, job);
      return [batch](Napi::Env env) { return to_uint8_array(env, batch); };
    };
  });
}

}  // namespace sparring::node
