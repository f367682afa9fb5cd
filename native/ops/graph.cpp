#include "ops/graph.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace sparring {
namespace {

using MakeGraph = Graph* (*)();

// The library says where its maker is through an operation, as its kernels do; null without it.
MakeGraph graph_maker() {
  const auto found = c10::Dispatcher::singleton().findSchema({"sparring::graph_maker", ""});
  return found ? reinterpret_cast<MakeGraph>(found->typed<int64_t()>().call()) : nullptr;
}

}  // namespace

bool has_graphs(c10::Device device) { return device.is_cuda() && graph_maker() != nullptr; }

std::unique_ptr<Graph> make_graph() { return std::unique_ptr<Graph>(graph_maker()()); }

}  // namespace sparring
