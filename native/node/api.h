// How the verbs of the addon are registered. An asynchronous verb has two parts: `parse` reads the JavaScript
// arguments on the JavaScript thread and returns the Work, which runs on the engine thread.
#pragma once

#include <functional>
#include <memory>

#include <napi.h>
#include <torch/torch.h>

#include "node/engine.h"

namespace sparring::node {

class Api {
 public:
  Api(Napi::Env env, Napi::Object exports, std::shared_ptr<Session> session)
      : env_(env), exports_(exports), session_(std::move(session)) {}

  using Parse = std::function<Work(const Napi::CallbackInfo&)>;
  using Call = std::function<Napi::Value(const Napi::CallbackInfo&)>;

  // A verb that returns a promise; argument number `control` may be {token?, onProgress?}.
  void add_async(const char* name, size_t control, Parse parse);
  // A verb that answers at once; errors are thrown.
  void add_sync(const char* name, Call call);

 private:
  Napi::Env env_;
  Napi::Object exports_;
  std::shared_ptr<Session> session_;
};

void register_models(Api& api);        // create, load, save, predict
void register_clip(Api& api);          // text towers and zero-shot heads
void register_training(Api& api);      // trainers and their steps
void register_generation(Api& api);    // guided and unguided sampling
void register_conditions(Api& api);    // what generators are told of the classes
void register_autoencoders(Api& api);  // encode, decode, quantise
void register_lpips(Api& api);         // a perceptual loss
void register_attacks(Api& api);       // discrete adversaries, and attacks for evaluation
void register_corruptions(Api& api);    // common corruptions of images
void register_examination(Api& api);   // what networks and weights files are like
void register_inspection(Api& api);    // gradients and intermediate values, for tests and benchmarks
void register_view_inspection(Api& api);       // the same of augmentations
void register_attack_inspection(Api& api);     // the same of attacks
void register_norm_inspection(Api& api);         // the same of fused group norms
void register_convolution_inspection(Api& api);  // the same of the convolutions of frozen networks
void register_batch_convolution_inspection(Api& api);  // and of those with the images of a batch as rows
void register_diffusion_inspection(Api& api);  // the same of samplers and of text-conditional U-Nets

}  // namespace sparring::node
