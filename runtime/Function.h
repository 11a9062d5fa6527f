// Functions of named tensors: what an artifact holds that is no language model's steps.
#ifndef MOEC_RUNTIME_FUNCTION_H
#define MOEC_RUNTIME_FUNCTION_H

#include "runtime/artifact/Artifact.h"
#include "runtime/devices/cpu/CodeModule.h"
#include "runtime/devices/cpu/HostMemory.h"

#include <memory>
#include <vector>

namespace moec::runtime {

/// A tensor in memory, row-major.
struct Tensor {
  artifact::ElementType element;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

/// "f32 [2, ?, 14]": an element type and a shape, in messages; a dimension of -1 may be any.
std::string describe(artifact::ElementType element, std::span<const int64_t> shape);

struct FunctionOptions {
  std::string isa = {};     ///< code variant to run; empty for the best that the processor can
  uint64_t memoryLimit = 0; ///< bytes of the tensors of a run that are neither inputs nor weights; 0 for this machine's memory
};

/// A function of an artifact, loaded. Runs of one function may be on several threads at a time.
class Function {
public:
  /// The function `symbol` of `artifact`, which must outlive it; without a symbol the first.
  static Result<std::unique_ptr<Function>> create(const Artifact &artifact, const std::string &symbol = "",
                                                  const FunctionOptions &options = {});

  const artifact::Function &description() const { return *described; }
  /// What runs, for messages.
  const std::string &isa() const { return options.isa; }

  /// Runs on one tensor for each input, in order, and gives one for each output. Refused when types, ranks or dimensions are not
  /// those of the description; fails with the function's own message when something in it does not hold.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) const;

private:
  Function(const Artifact &artifact, const artifact::Function &described, FunctionOptions options)
      : artifact(artifact), described(&described), options(std::move(options)) {}
  Status placeWeights();
  Status check(std::span<const Tensor> inputs) const;

  const Artifact &artifact;
  const artifact::Function *described;
  FunctionOptions options;
  std::unique_ptr<CodeModule> module;
  FunctionCode code = nullptr;
  std::vector<void *> weights;    ///< where each is whole
  std::vector<HostMemory> copies; ///< of weights that are not where they lie
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_FUNCTION_H
