// What makes a GPU give the same bits in every run, which LibTorch keeps as settings of the process.
#pragma once

namespace sparring {

// The same seed gives the same result on a GPU as well, and fp32 is fp32; neither is the default there. All that the networks
// here do has a deterministic kernel; an operation without one is an error, but where it is allowed.
void choose_exactness();

// Whether operations without a deterministic kernel warn in place of failing. Backward passes of LibTorch take other kernels
// then, also where there is a deterministic one.
void allow_inexact(bool allowed);
bool inexact_is_allowed();

// Allows them while it lives.
class AllowInexact {
 public:
  AllowInexact() : before_(inexact_is_allowed()) { allow_inexact(true); }
  ~AllowInexact() { allow_inexact(before_); }
  AllowInexact(const AllowInexact&) = delete;
  AllowInexact& operator=(const AllowInexact&) = delete;

 private:
  bool before_;
};

}  // namespace sparring
