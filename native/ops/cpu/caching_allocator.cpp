#include "ops/cpu/caching_allocator.h"

#include <algorithm>
#include <bit>
#include <deque>
#include <mutex>
#include <new>
#include <vector>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>

namespace sparring::cpu {
namespace {

// Beside an eighth of the most that was in use, what may be kept at that moment: with nothing the sizes of the two passes of a step would drive out
// each other.
constexpr int64_t kSpare = int64_t{64} << 20;

// Eight sizes between each power of two and the next, so that at most an eighth of a block is not used; pages of it that nobody touches cost
// nothing.
constexpr int kSizesPerOctave = 8;
constexpr size_t kLargest = size_t{1} << 56;
constexpr int kSizes = 56 * kSizesPerOctave;
constexpr size_t kHeader = 64;  // in front of a tensor's memory, which stays aligned; holds the index of its size

int index_of(size_t bytes) {
  const auto last = std::max<size_t>(bytes, 64) - 1;
  const int octave = std::bit_width(last) - 4;  // 8 << octave <= last < 16 << octave
  return octave * kSizesPerOctave + static_cast<int>((last >> octave) - 7);
}

size_t bytes_of(int index) { return static_cast<size_t>(kSizesPerOctave + index % kSizesPerOctave) << (index / kSizesPerOctave); }

class CachingAllocator final : public c10::Allocator {
 public:
  // Never destroyed: tensors may be freed after all else.
  static CachingAllocator& instance() {
    static auto* allocator = new CachingAllocator;
    return *allocator;
  }

  c10::DataPtr allocate(size_t bytes) override {
    auto* data = bytes == 0 ? nullptr : take(bytes);
    c10::profiledCPUMemoryReporter().New(data, bytes);
    return {data, data, &put_back, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &put_back; }
  void copy_data(void* to, const void* from, size_t count) const override { default_copy_data(to, from, count); }

  TensorMemory memory() {
    const std::lock_guard lock(mutex_);
    return memory_;
  }

  void give_back_kept() {
    Blocks kept(kSizes);
    {
      const std::lock_guard lock(mutex_);
      kept.swap(kept_);
      memory_.kept = 0;
      memory_.most = memory_.in_use;
    }
    // Without the lock: gigabytes take a while.
    for (const auto& blocks : kept) {
      for (const auto& block : blocks) c10::free_cpu(block.base);
    }
  }

 private:
  struct Block {
    void* base;
    uint64_t freed;  // the order in which they were
  };
  using Blocks = std::vector<std::deque<Block>>;

  void* take(size_t bytes) {
    if (bytes > kLargest) return c10::alloc_cpu(bytes);  // which says that there is not so much
    const auto index = index_of(bytes);
    void* base = reuse(index);
    if (!base) base = fresh(index);
    *static_cast<int*>(base) = index;
    return static_cast<char*>(base) + kHeader;
  }

  // Null where none is kept.
  void* reuse(int index) {
    const auto bytes = static_cast<int64_t>(bytes_of(index));
    const std::lock_guard lock(mutex_);
    auto& blocks = kept_[index];
    if (blocks.empty()) {
      const auto in_use = memory_.in_use + bytes, most = std::max(memory_.most, in_use);
      give_back_until(most + most / 8 + kSpare - in_use);
      return nullptr;
    }
    auto* base = blocks.back().base;  // the one that was in use last may still be in the processor's cache
    blocks.pop_back();
    memory_.kept -= bytes;
    count_in_use(bytes);
    return base;
  }

  void* fresh(int index) {
    const auto bytes = bytes_of(index) + kHeader;
    void* base = nullptr;
    try {
      base = c10::alloc_cpu(bytes);
    } catch (const c10::Error&) {
      {
        const std::lock_guard lock(mutex_);
        give_back_until(0);
      }
      base = c10::alloc_cpu(bytes);
    }
    const std::lock_guard lock(mutex_);
    memory_.asked += static_cast<int64_t>(bytes_of(index));
    count_in_use(static_cast<int64_t>(bytes_of(index)));
    return base;
  }

  void count_in_use(int64_t bytes) {
    memory_.in_use += bytes;
    memory_.most = std::max(memory_.most, memory_.in_use);
  }

  static void put_back(void* data) {
    if (!data) return;
    c10::profiledCPUMemoryReporter().Delete(data);
    instance().keep(static_cast<char*>(data) - kHeader);
  }

  void keep(void* base) {
    const auto index = *static_cast<int*>(base);
    const auto bytes = static_cast<int64_t>(bytes_of(index));
    const std::lock_guard lock(mutex_);
    memory_.in_use -= bytes;
    try {
      kept_[index].push_back({base, freed_++});
      memory_.kept += bytes;
    } catch (const std::bad_alloc&) {  // freeing never fails
      c10::free_cpu(base);
    }
  }

  // Those first that have been free for longest.
  void give_back_until(int64_t kept) {
    while (memory_.kept > kept) {
      const auto age = [](const std::deque<Block>& blocks) { return blocks.empty() ? UINT64_MAX : blocks.front().freed; };
      const auto oldest = std::min_element(kept_.begin(), kept_.end(), [&](const auto& a, const auto& b) { return age(a) < age(b); });
      c10::free_cpu(oldest->front().base);
      oldest->pop_front();
      memory_.kept -= static_cast<int64_t>(bytes_of(static_cast<int>(oldest - kept_.begin())));
    }
  }

  std::mutex mutex_;
  TensorMemory memory_;
  Blocks kept_ = Blocks(kSizes);  // by size
  uint64_t freed_ = 0;
};

}  // namespace

void use_caching_allocator() { c10::SetCPUAllocator(&CachingAllocator::instance(), /*priority=*/1); }
TensorMemory tensor_memory() { return CachingAllocator::instance().memory(); }
void give_back_kept_memory() { CachingAllocator::instance().give_back_kept(); }

}  // namespace sparring::cpu
