#include "distill/views/view_policy.h"

#include <ATen/Parallel.h>

#include "distill/views/aug_mix.h"
#include "distill/views/pix_mix.h"
#include "distill/views/rand_augment.h"

namespace sparring {
namespace {

// Each image of a batch by `one(in, out, height, width, i)`, all of them [H, W, 3].
template <typename One>
at::Tensor for_each_image(const at::Tensor& views, const One& one) {
  const auto batch = views.size(0), height = views.size(2), width = views.size(3), values = height * width * 3;
  const auto sources = views.permute({0, 2, 3, 1}).contiguous();  // [B, H, W, 3], no copy for channels-last
  auto result = at::empty_like(sources);
  const auto* in = sources.const_data_ptr<float>();
  auto* out = result.data_ptr<float>();
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    for (auto i = begin; i < end; ++i) one(in + i * values, out + i * values, height, width, static_cast<uint64_t>(i));
  });
  return result.permute({0, 3, 1, 2});
}

}  // namespace

PolicyViews::PolicyViews(ViewPolicy policy, int64_t size)
    : policy_(policy), pictures_(policy == ViewPolicy::pix_mix ? std::make_shared<MixingPictures>(size) : nullptr) {}

std::vector<at::Tensor> PolicyViews::operator()(const at::Tensor& views, uint64_t seed, uint64_t step) const {
  switch (policy_) {
    case ViewPolicy::none: return {views};
    case ViewPolicy::rand_augment:
      return {for_each_image(views, [&](const float* in, float* out, int64_t height, int64_t width, uint64_t i) {
        Draws draws(seed, step, i);
        auto picture = to_picture(in, height, width);
        for (const auto& change : draw_rand_augment(draws, height, width)) apply(picture, change, kRandAugmentFill);
        to_floats(picture, out);
      })};
    case ViewPolicy::aug_mix: {
      const auto mixed = [&](uint64_t version) {
        return for_each_image(views, [&](const float* in, float* out, int64_t height, int64_t width, uint64_t i) {
          Draws draws(seed, step, 2 * i + version);
          render(draw_aug_mix(draws, height, width), in, out, height, width);
        });
      };
      return {views, mixed(0), mixed(1)};
    }
    case ViewPolicy::pix_mix:
      return {for_each_image(views, [&](const float* in, float* out, int64_t height, int64_t width, uint64_t i) {
        Draws draws(seed, step, i);
        render(draw_pix_mix(draws, height, width, pictures_->spare()), *pictures_, in, out, height);
      })};
  }
  return {views};
}

}  // namespace sparring
