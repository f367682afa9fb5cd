// Work on a GPU that is recorded once and from then on launched as a whole: where a step is some thousand small kernels,
// launching them takes longer than running them. What records comes from libsparring_cuda.so; the core has no CUDA in it.
#pragma once

#include <functional>
#include <memory>

#include <c10/core/Device.h>

namespace sparring {

// One recording, of work on the current stream, which must not be the default one. Memory that the work takes belongs to it.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void record(const std::function<void()>& work) = 0;
  virtual void replay() = 0;
};

// Whether graphs can be recorded on the device.
bool has_graphs(c10::Device device);
std::unique_ptr<Graph> make_graph();

}  // namespace sparring
