// Functions of named tensors: what an artifact holds that is no language model's steps.
#include "runtime/Function.h"

#include "runtime/artifact/Bounds.h"
#include "runtime/devices/cpu/CodeChoice.h"
#include "runtime/devices/cpu/FunctionMemory.h"

#include <cstring>
#include <unistd.h>

using namespace moec::runtime;
using moec::artifact::ElementType;
using moec::artifact::TensorDescription;

namespace {
std::span<const int64_t> shapeOf(const TensorDescription &tensor) { return {tensor.shape()->data(), tensor.shape()->size()}; }

/// Bytes of a tensor, or nothing when they leave the range of sizes.
std::optional<uint64_t> sizeOf(ElementType element, std::span<const int64_t> shape) {
  uint64_t bytes = bytesOf(element);
  for (int64_t dim : shape) {
    std::optional<uint64_t> more = dim < 0 ? std::nullopt : product({bytes, uint64_t(dim)});
    if (!more)
      return std::nullopt;
    bytes = *more;
  }
  return bytes;
}

bool fits(const TensorDescription &expected, const Tensor &tensor) {
  std::span<const int64_t> shape = shapeOf(expected);
  if (tensor.element != expected.element() || tensor.shape.size() != shape.size())
    return false;
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (shape[dim] >= 0 && shape[dim] != tensor.shape[dim])
      return false;
  return true;
}
} // namespace

std::string moec::runtime::describe(ElementType element, std::span<const int64_t> shape) {
  std::string text = std::string(artifact::EnumNameElementType(element)) + " [";
  for (size_t dim = 0; dim < shape.size(); ++dim)
    text += (dim ? ", " : "") + (shape[dim] < 0 ? "?" : std::to_string(shape[dim]));
  return text + "]";
}

Result<std::unique_ptr<Function>> Function::create(const Artifact &artifact, const std::string &symbol,
                                                   const FunctionOptions &options) {
  if (!artifact.hasWeights())
    return Status::invalidArgument(artifact.path() + ": opened without its weights, and cannot run");
  const artifact::Function *found = nullptr;
  std::string names;
  if (const auto *functions = artifact.manifest().functions())
    for (const artifact::Function *candidate : *functions) {
      names += (names.empty() ? "" : ", ") + candidate->symbol()->str();
      if (!found && (symbol.empty() || candidate->symbol()->string_view() == symbol))
        found = candidate;
    }
  if (!found)
    return Status::invalidArgument(artifact.path() + ": " +
                                   (names.empty() ? "holds a language model's steps and no functions"
                                                  : "no function '" + symbol + "', expected one of " + names));
  std::unique_ptr<Function> function(new Function(artifact, *found, options));
  if (!options.memoryLimit)
    function->options.memoryLimit = uint64_t(sysconf(_SC_PHYS_PAGES)) * uint64_t(sysconf(_SC_PAGESIZE));
  MOEC_RETURN_IF_ERROR(take(function->module, loadCode(artifact, function->options.isa)));
  function->code = function->module->findFunction(found->symbol()->c_str());
  if (!function->code)
    return Status::invalidData(artifact.path() + ": code '" + function->isa() + "' has no function '" + found->symbol()->str() +
                               "'");
  MOEC_RETURN_IF_ERROR(function->placeWeights());
  return function;
}

/// Functions take a weight whole and aligned; one that is not so in its file is copied.
Status Function::placeWeights() {
  for (uint32_t index : *described->weights()) {
    const artifact::Weight &weight = *artifact.manifest().weights()->Get(index);
    std::span<const void *const> parts = artifact.partsOf(index);
    if (parts.size() == 1 && reinterpret_cast<uintptr_t>(parts[0]) % bytesOf(weight.element()) == 0) {
      weights.push_back(const_cast<void *>(parts[0]));
      continue;
    }
    uint64_t bytes = 0;
    for (const artifact::WeightRun *run : *weight.runs())
      bytes += run->bytes() * run->times();
    HostMemory &copy = copies.emplace_back();
    MOEC_RETURN_IF_ERROR(take(copy, HostMemory::allocate(bytes, "weights in parts")));
    weights.push_back(copy.data());
    std::byte *to = copy.data();
    size_t part = 0;
    for (const artifact::WeightRun *run : *weight.runs())
      for (uint64_t time = 0; time < run->times(); ++time, to += run->bytes())
        std::memcpy(to, parts[part++], run->bytes());
  }
  return {};
}

Status Function::check(std::span<const Tensor> inputs) const {
  const auto &expected = *described->inputs();
  if (inputs.size() != expected.size())
    return Status::invalidArgument("expected " + std::to_string(expected.size()) + " inputs, got " + std::to_string(inputs.size()));
  for (uint32_t index = 0; index < expected.size(); ++index) {
    const TensorDescription &description = *expected.Get(index);
    const Tensor &tensor = inputs[index];
    if (!fits(description, tensor))
      return Status::invalidArgument("input '" + description.name()->str() + "': expected " +
                                     describe(description.element(), shapeOf(description)) + ", got " +
                                     describe(tensor.element, tensor.shape));
    std::optional<uint64_t> bytes = sizeOf(tensor.element, tensor.shape);
    if (!bytes || *bytes != tensor.bytes.size())
      return Status::invalidArgument("input '" + description.name()->str() + "': expected the bytes of " +
                                     describe(tensor.element, tensor.shape) + ", got " + std::to_string(tensor.bytes.size()));
  }
  return {};
}

Result<std::vector<Tensor>> Function::run(std::span<const Tensor> inputs) const {
  MOEC_RETURN_IF_ERROR(check(inputs));
  std::vector<FunctionTensor> arguments, results;
  for (const Tensor &input : inputs)
    arguments.push_back({const_cast<std::byte *>(input.bytes.data()), const_cast<int64_t *>(input.shape.data())});
  for (void *weight : weights)
    arguments.push_back({weight, nullptr}); // their shapes are known to the code
  std::vector<Tensor> outputs;
  for (const TensorDescription *description : *described->outputs())
    outputs.push_back({description->element(), std::vector<int64_t>(description->shape()->size()), {}});
  for (Tensor &output : outputs)
    results.push_back({nullptr, output.shape.data()});

  FunctionMemory memory(options.memoryLimit);
  MOEC_RETURN_IF_ERROR(memory.run(code, arguments.data(), results.data()));
  for (size_t index = 0; index < outputs.size(); ++index) {
    Tensor &output = outputs[index];
    std::optional<uint64_t> bytes = sizeOf(output.element, output.shape);
    if (!bytes)
      return Status::invalidData("an output has the shape " + describe(output.element, output.shape));
    const auto *data = static_cast<const std::byte *>(results[index].data);
    output.bytes.assign(data, data + *bytes);
  }
  return outputs;
}
