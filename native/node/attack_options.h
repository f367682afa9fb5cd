// Options of attacks as JavaScript gives them, and what they attack.
#pragma once

#include "attack/discrete_adversary.h"
#include "node/values.h"

namespace sparring::node {

Norm norm(const Napi::Object& options);
// {norm, epsilon, stepSize, steps, randomStart}
AttackOptions attack_options(const Napi::Object& options);
// The same with {variant}
DiscreteAttackOptions discrete_attack_options(const Napi::Object& options);

// What a verb attacks, as it came: pixels and labels are still on the CPU.
struct AttackedImages {
  std::shared_ptr<Classifier> classifier;
  at::Tensor images;  // [B, H, W, 3] uint8
  at::Tensor labels;  // [B]
  std::vector<int64_t> seeds;
  at::ScalarType dtype;

  // The frozen network and the images in 0..1, on its device. The classifier must outlive it.
  AttackTarget target() const;
};

// (classifier, images, labels, {seeds, precision})
AttackedImages attacked_images(const Napi::Value& classifier, const Napi::Value& images, const Napi::Value& labels, const Napi::Object& options);

// A discretiser of images of this side: an autoencoder with codes whose downsampling divides it, or {generator, sampling}, whose sampling
// starts from images.
Discretiser discretiser(const Napi::Value& value, int64_t image_size, at::ScalarType dtype);

// {kind: fgsm, pgd or apgd} with attack_options(): the attack, ready to run.
using Attack = std::function<at::Tensor(const AttackTarget&, const JobContext&)>;
Attack attack(const Napi::Object& options);

}  // namespace sparring::node
