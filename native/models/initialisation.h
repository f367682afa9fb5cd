// How the weights of the networks begin that are built while one of these lives.
#pragma once

#include <cstdint>
#include <optional>

#include <torch/torch.h>

namespace sparring {

class Initialisation {
 public:
  // Random weights from `seed`. Without one none are drawn, for networks whose weights are overwritten as soon as they are
  // built: of a large network, drawing takes longer than reading its file. Their memory then holds anything.
  explicit Initialisation(std::optional<uint64_t> seed);
  Initialisation(const Initialisation&) = delete;
  Initialisation& operator=(const Initialisation&) = delete;

  // Whether weights are drawn; true where none of these lives.
  static bool draws();

 private:
  std::optional<c10::impl::IncludeDispatchKeyGuard> skip_;
};

}  // namespace sparring
