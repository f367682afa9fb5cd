#include "models/script_network.h"

#include <algorithm>
#include <string_view>

#include <caffe2/serialize/inline_container.h>
#include <torch/script.h>

#include "error.h"
#include "io/files.h"
#include "io/json.h"
#include "io/zip_checksums.h"
#include "ops/autocast.h"
#include "ops/exactness.h"

namespace sparring {
namespace {

constexpr auto kDamaged = "The file is damaged or cut short: get it again.";
constexpr auto kExport = "Export it in evaluation mode: torch.jit.script(model.eval()).save(path), or torch.jit.trace with images of the size of the data.";

// What went wrong, in one line: the interpreter puts a listing of the code before it, LibTorch a backtrace after it, and
// what reads archives advice.
std::string reason(const std::exception& error) {
  const auto* own = dynamic_cast<const c10::Error*>(&error);
  std::string text = own ? own->what_without_backtrace() : error.what();
  for (const std::string mark : {"RuntimeError: ", "Error: "}) {
    if (const auto found = text.rfind(mark); found != std::string::npos) {
      text = text.substr(found + mark.size());
      break;
    }
  }
  text.erase(0, text.find_first_not_of(" \n"));
  text = text.substr(0, std::min(text.find('\n'), text.find(" This is an internal")));
  if (text.find("INTERNAL ASSERT") != std::string::npos) return "its structure is damaged";
  while (text.ends_with('.') || text.ends_with(':') || text.ends_with(' ')) text.pop_back();
  return text;
}

// The interpreter passes every failure on as one of its own.
bool is_out_of_memory(const std::exception& error) {
  const std::string text = error.what();
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) || text.find("out of memory") != std::string::npos ||
         text.find("DefaultCPUAllocator") != std::string::npos;
}

[[noreturn]] void out_of_memory(const std::exception& error) {
  throw Error("out-of-memory", reason(error), "Lower batchSize, or guidance.memoryBytes for chain guidance.");
}

// Two different images, the same in every run: [2, 3, size, size] of about unit variance.
at::Tensor sample_images(int64_t size, at::Device device) {
  const auto count = 6 * size * size;
  return (at::arange(count, at::kFloat) * 0.37).sin().mul(1.4).view({2, 3, size, size}).to(device);
}

}  // namespace

struct ScriptNetwork::Module {
  torch::jit::Module network;
};

ScriptNetwork::ScriptNetwork(const std::string& path, at::Device device, int64_t size, int64_t outputs) : path_(path), device_(device) {
  {
    const MappedFile file(path);  // says what keeps it from being read
    const std::string_view content(file.data(), file.size());
    if (!content.starts_with("PK\x03\x04")) fail("expected TorchScript, which is a zip archive, found something else", kExport);
    if (const auto record = damaged_record(content)) fail(quote_json_start(*record) + " in it is not as it was written", kDamaged);
  }
  try {
    caffe2::serialize::PyTorchStreamReader archive(path);
    if (!archive.hasRecord("constants.pkl")) {
      fail("expected TorchScript, found an archive without the code of a network, as torch.save writes it, which holds a pickle",
           "Pickles can run any code, so they are refused. Convert weights in Python: safetensors.torch.save_file(torch.load(path, weights_only=True), "
           "'model.safetensors'). Or export the network itself: torch.jit.script(model.eval()).save(path).");
    }
    module_ = std::make_unique<Module>(Module{torch::jit::load(path, device)});
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) out_of_memory(error);
    fail("TorchScript that cannot be read: " + reason(error), "The file is damaged or cut short, or needs another version of LibTorch or operators of other libraries.");
  }
  module_->network.eval();
  for (auto parameter : module_->network.parameters()) parameter.requires_grad_(false);
  check(size, outputs);
}

ScriptNetwork::~ScriptNetwork() = default;

at::Tensor ScriptNetwork::forward(const at::Tensor& x, at::ScalarType dtype) {
  const auto attempt = [&](bool bf16) {
    try {
      return run(x, bf16);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      if (is_out_of_memory(error)) out_of_memory(error);
      if (!bf16) fail(c10::str("the network fails on images ", x.sizes(), ": ", reason(error)), kExport);
      bf16_ = false;  // types written into its code, which 16-bit values do not fit
      return at::Tensor();
    }
  };
  auto y = bf16_ && dtype == at::kBFloat16 ? attempt(true) : at::Tensor();
  if (!y.defined()) y = attempt(false);
  if (at::GradMode::is_enabled() && x.requires_grad() && !y.requires_grad()) {
    fail("no gradient reaches the input of the network", "Export it without torch.no_grad() and detach(), and not quantised: guidance needs its gradient.");
  }
  return y;
}

at::Tensor ScriptNetwork::run(const at::Tensor& x, bool bf16) const {
  // One operation after the other, as in eager mode: what the optimiser makes of them rounds differently, and only from
  // the third call on.
  const torch::jit::GraphOptimizerEnabledGuard optimiser(false);
  const AutocastGuard autocast(device_.type(), bf16);
  // Its operations may be any: one without a deterministic kernel for GPUs warns in place of failing, here and in the backward
  // pass, from where the gradient arrives to where it leaves for what made x.
  const AllowInexact inexact;
  const bool differentiated = at::GradMode::is_enabled() && x.requires_grad();
  const auto images = differentiated ? x.clone(at::MemoryFormat::Contiguous) : x.contiguous();
  if (differentiated) images.register_hook([](const at::Tensor&) { allow_inexact(false); });
  const auto output = module_->network.forward({images});
  if (!output.isTensor()) fail("expected logits, one tensor [images, classes], found " + output.tagKind(), "Wrap it in a module that returns the logits alone.");
  const auto logits = output.toTensor().to(at::kFloat);
  if (differentiated && logits.requires_grad()) logits.register_hook([](const at::Tensor&) { allow_inexact(true); });
  return logits;
}

void ScriptNetwork::check(int64_t size, int64_t outputs) const {
  const torch::NoGradGuard no_grad;
  const auto images = sample_images(size, device_);
  at::Tensor together, alone;
  try {
    together = run(images, false);
    alone = run(images.slice(0, 0, 1), false);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) out_of_memory(error);
    fail(c10::str("the network does not take batches of images of ", size, " px: ", reason(error)), kExport);
  }
  if (together.dim() != 2 || together.size(0) != 2 || alone.sizes() != at::IntArrayRef({1, together.size(1)})) {
    fail(c10::str("expected logits [images, classes], found ", together.sizes(), " for 2 images and ", alone.sizes(), " for one"), kExport);
  }
  if (together.size(1) != outputs) {
    fail(c10::str("expected ", outputs, " outputs, one for each class of the data, found ", together.size(1)), "Use a network with one output for each class, in the order of the data's classes.");
  }
  if (!at::isfinite(together).all().item<bool>()) fail("the network gives NaN or infinite logits", kExport);
  const auto difference = (together[0] - alone[0]).abs().max().item<double>();
  if (difference > 1e-2 * together.abs().max().item<double>()) {
    fail("what the network says of an image depends on chance or on the other images, as in training mode", kExport);
  }
}

int64_t ScriptNetwork::parameter_count() const {
  int64_t count = 0;
  for (const auto& parameter : module_->network.parameters()) count += parameter.numel();
  return count;
}

void ScriptNetwork::fail(const std::string& what, const std::string& hint) const { throw Error("weights", path_ + ": " + what + ".", hint); }

}  // namespace sparring
