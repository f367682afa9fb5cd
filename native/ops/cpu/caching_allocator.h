// Memory of tensors on the processor that is kept when they are freed, for others of about their size. malloc gives large blocks back to the
// kernel, which clears every page anew where the next block of that size is touched: a copy of 59 MB takes 36 ms there, and 9 where
// the memory was in use before.
#pragma once

#include <cstdint>

namespace sparring::cpu {

// All in bytes, rounded up to the sizes in which memory is kept.
struct TensorMemory {
  int64_t in_use = 0;
  int64_t kept = 0;   // and free
  int64_t most = 0;   // that was in use at a time since memory was last given back; in_use + kept stay below 9/8 of it and 64 MB
  int64_t asked = 0;  // of malloc, all in all
};

// From now on, of all of LibTorch in this process. To be called before anything else of it: oneDNN's memory is freed by the allocator that there is
// by then.
void use_caching_allocator();
TensorMemory tensor_memory();
// What is kept goes back to malloc.
void give_back_kept_memory();

}  // namespace sparring::cpu
