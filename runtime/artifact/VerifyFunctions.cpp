// That what a manifest says of functions agrees with itself.
#include "runtime/artifact/Artifact.h"
#include "runtime/artifact/Bounds.h"

#include <set>

using namespace moec;
using namespace moec::runtime;
using namespace moec::artifact;

namespace {
constexpr uint32_t maxDimensions = 32;
/// Inputs, outputs and weights of all functions together: tables may share lists, and each is gone through for its table alone.
constexpr size_t maxTensors = 1 << 20;

class FunctionChecker {
public:
  FunctionChecker(const Manifest &manifest, const std::string &path) : manifest(manifest), path(path) {}

  Status check() {
    if (manifest.programs()->size() || manifest.kernels()->size() || manifest.caches()->size() || manifest.buffers()->size() ||
        (manifest.gpu_code() && manifest.gpu_code()->size()) || (manifest.routing() && manifest.routing()->size()))
      return refuse("expected no steps beside functions");
    std::set<std::string_view> symbols;
    for (const artifact::Function *function : *manifest.functions()) {
      std::string_view symbol = function->symbol()->string_view();
      if (symbol.empty() || symbol.size() > maxNameBytes || !symbols.insert(symbol).second)
        return refuse("expected functions of different names of 1 to " + std::to_string(maxNameBytes) + " bytes");
      MOEC_RETURN_IF_ERROR(checkFunction(*function));
    }
    return {};
  }

private:
  using Tensors = flatbuffers::Vector<flatbuffers::Offset<TensorDescription>>;

  Status refuse(const std::string &why) const { return Status::invalidData(path + ": section 'manifest': " + why); }
  Status refuse(const artifact::Function &function, const std::string &why) const {
    return refuse("function '" + function.symbol()->str() + "': " + why);
  }

  Status checkFunction(const artifact::Function &function) {
    size_t count = size_t(function.inputs()->size()) + function.outputs()->size() + function.weights()->size();
    if (count > maxTensors - tensors)
      return refuse(function, "more than " + std::to_string(maxTensors) + " tensors with those before");
    tensors += count;
    MOEC_RETURN_IF_ERROR(checkTensors(function, "input", *function.inputs()));
    MOEC_RETURN_IF_ERROR(checkTensors(function, "output", *function.outputs()));
    for (uint32_t weight : *function.weights())
      if (weight >= manifest.weights()->size())
        return refuse(function, "no weight " + std::to_string(weight));
    return {};
  }

  Status checkTensors(const artifact::Function &function, const std::string &what, const Tensors &descriptions) const {
    std::set<std::string_view> names;
    for (const TensorDescription *tensor : descriptions) {
      std::string_view name = tensor->name()->string_view();
      if (name.empty() || name.size() > maxNameBytes)
        return refuse(function, "expected " + what + " names of 1 to " + std::to_string(maxNameBytes) + " bytes");
      auto refuseIt = [&](const std::string &why) { return refuse(function, what + " '" + tensor->name()->str() + "' " + why); };
      if (!names.insert(name).second)
        return refuseIt("occurs twice");
      if (tensor->element() > ElementType::MAX)
        return refuseIt("is of an unknown element type");
      if (tensor->shape()->size() && reinterpret_cast<uintptr_t>(tensor->shape()->Data()) % alignof(int64_t))
        return refuseIt("has a shape off the alignment of 8 bytes");
      if (tensor->shape()->size() > maxDimensions)
        return refuseIt("has more than " + std::to_string(maxDimensions) + " dimensions");
      uint64_t bytes = bytesOf(tensor->element());
      for (int64_t dim : *tensor->shape()) {
        std::optional<uint64_t> size = dim < -1 ? std::nullopt : product({bytes, dim > 0 ? uint64_t(dim) : 1});
        if (!size)
          return refuseIt("has a shape out of range");
        bytes = *size;
      }
    }
    return {};
  }

  const Manifest &manifest;
  const std::string &path;
  size_t tensors = 0; ///< of the functions so far
};
} // namespace

Status moec::runtime::verifyFunctions(const Manifest &manifest, const std::string &path) {
  return FunctionChecker(manifest, path).check();
}
