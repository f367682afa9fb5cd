// CUDA graphs for ops/graph.h.
#include "ops/graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>

#include "ops/cuda/registration.h"

namespace sparring::cuda {
namespace {

class CudaGraph : public Graph {
 public:
  void record(const std::function<void()>& work) override {
    c10::cuda::CUDACachingAllocator::emptyCache();  // a graph has memory of its own: what was kept of runs before it would be in its way
    // Other threads may use CUDA meanwhile, autograd's among them, whose work belongs to the recording.
    try {
      graph_.capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
      work();
      graph_.capture_end();
    } catch (...) {
      end_quietly();
      throw;
    }
  }

  void replay() override { graph_.replay(); }

 private:
  // What went wrong first is what is told.
  void end_quietly() {
    try {
      graph_.capture_end();
    } catch (const std::exception&) {
      give_up_pool();
    }
  }

  // capture_end() fails before it does this where CUDA has given the recording up.
  void give_up_pool() {
    const auto device = c10::cuda::current_device();
    const auto quietly = [](const auto& part) {
      try {
        part();
      } catch (const std::exception&) {  // it was done before, or never begun
      }
    };
    quietly([&] { c10::cuda::CUDACachingAllocator::endAllocateToPool(device, pool_); });
    quietly([&] { c10::cuda::CUDACachingAllocator::releasePool(device, pool_); });
  }

  at::cuda::CUDAGraph graph_;
  const c10::MempoolId_t pool_ = at::cuda::graph_pool_handle();
};

Graph* make() { return new CudaGraph; }

}  // namespace

void register_graphs(torch::Library& operations) {
  operations.def("graph_maker() -> int", [] { return reinterpret_cast<int64_t>(&make); });
}

}  // namespace sparring::cuda
