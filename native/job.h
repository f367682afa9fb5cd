// What a long native computation may ask of its caller: "am I cancelled?" and "show this progress".
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "error.h"

namespace sparring {

struct JobContext {
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  std::function<void(int64_t done, int64_t total)> progress = [](int64_t, int64_t) {};

  // Called between steps; unwinds to the engine, which rejects the promise with code "aborted".
  void check() const {
    if (cancelled->load(std::memory_order_relaxed)) throw Error("aborted", "The operation was cancelled.");
  }
};

}  // namespace sparring
