#include "corruptions/corruption.h"

#include <algorithm>
#include <string_view>

#include <ATen/Parallel.h>

#include "error.h"

namespace sparring::corruptions {
namespace {

struct Named {
  std::string_view name;
  Corruption apply;
};

// A corruption draws by its place in this list.
constexpr Named kCorruptions[] = {
    {"gaussian_noise", gaussian_noise},
    {"shot_noise", shot_noise},
    {"impulse_noise", impulse_noise},
    {"defocus_blur", defocus_blur},
    {"glass_blur", glass_blur},
    {"motion_blur", motion_blur},
    {"zoom_blur", zoom_blur},
    {"snow", snow},
    {"frost", frost},
    {"fog", fog},
    {"brightness", brightness},
    {"contrast", contrast},
    {"elastic_transform", elastic_transform},
    {"pixelate", pixelate},
    {"jpeg_compression", jpeg_compression},
    {"speckle_noise", speckle_noise},
    {"gaussian_blur", gaussian_blur},
    {"spatter", spatter},
    {"saturate", saturate},
};

}  // namespace

size_t corruption_number(const std::string& name) {
  const auto* found = std::find_if(std::begin(kCorruptions), std::end(kCorruptions), [&](const Named& one) { return one.name == name; });
  if (found == std::end(kCorruptions)) throw Error("usage", "corrupt: expected the name of a corruption as kind, found " + name + ".");
  return static_cast<size_t>(found - kCorruptions);
}

void corrupt(uint8_t* pixels, int64_t side, size_t number, int64_t severity, const std::vector<int64_t>& seeds, const JobContext& job) {
  const Setting setting(severity, side);
  const auto bytes = side * side * 3;
  at::parallel_for(0, static_cast<int64_t>(seeds.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = begin; i < end; ++i) {
      job.check();
      auto* image = pixels + i * bytes;
      Picture picture{side, side, {image, image + bytes}};
      Draws draws(static_cast<uint64_t>(seeds[i]), number);
      kCorruptions[number].apply(picture, setting, draws);
      std::copy(picture.pixels.begin(), picture.pixels.end(), image);
    }
  });
}

}  // namespace sparring::corruptions
