// LPIPS, which the training of a VQGAN takes as its perceptual loss.
#include <torch/torch.h>

#include "distill/perceptual_loss.h"
#include "node/fields.h"

namespace sparring::node {

void register_lpips(Api& api) {
  // loadLpips(path, {device, precision}) -> LPIPS, frozen
  api.add_async("loadLpips", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto options = info[1].As<Napi::Object>();
    return [path = info[0].ToString().Utf8Value(), on = device(options), dtype = precision(options)](const JobContext&) -> Finish {
      const auto network = load_lpips(path, on, dtype);
      return [network](Napi::Env env) { return wrap(env, network.ptr()); };
    };
  });

  // lpipsGradient(LPIPS, {images, targets: [B, 3, size, size] fp32 in -1..1, size}) -> {distance: mean over the images, gradient with
  // respect to the images}
  api.add_async("lpipsGradient", 2, [](const Napi::CallbackInfo& info) -> Work {
    const auto network = unwrap<LpipsImpl>(info[0], "LPIPS");
    const auto options = info[1].As<Napi::Object>();
    const auto size = integer(options, "size");
    const auto on_device = [&](const char* name) { return floats(options.Get(name), {-1, 3, size, size}).to(network->channel_weights[0].device()); };
    return [network, images = on_device("images"), targets = on_device("targets")](const JobContext&) -> Finish {
      const auto input = images.clone().requires_grad_(true);
      const auto distance = perceptual_loss(network)(input, targets);
      return finish_fields({{"distance", distance.detach()}, {"gradient", torch::autograd::grad({distance}, {input})[0]}});
    };
  });
}

}  // namespace sparring::node
