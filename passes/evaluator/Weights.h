// Weights as the evaluator sees them: read from the model's files or made up, converted to f64, kept while there is room.
#ifndef MOEC_PASSES_EVALUATOR_WEIGHTS_H
#define MOEC_PASSES_EVALUATOR_WEIGHTS_H

#include "dialects/moe/Requantization.h"
#include "passes/evaluator/Tensor.h"

#include "llvm/ADT/MapVector.h"

#include <memory>
#include <string>

namespace moec::evaluator {

struct WeightOptions {
  enum class Source {
    Files, ///< the slices' bytes, under the module's `moe.folder`
    Random ///< the same number for the same byte of the same tensor, however passes cut and join slices
  };
  Source source = Source::Random;
  uint64_t seed = 0;
  /// Converted weights that together exceed this are forgotten, the longest unused first.
  size_t maxBytes = size_t(2) << 30;
};

/// Loads weights, one at a time. Shared by all modules of a context that have the same `moe.folder`.
class Weights {
public:
  explicit Weights(WeightOptions options) : options(options) {}

  /// The value of `weight`, or failure after an error on `user`.
  mlir::FailureOr<std::shared_ptr<const Tensor>> load(moe::WeightOp weight, mlir::Operation *user);
  /// The same of what is stored in a module's files; messages call it `name`.
  mlir::FailureOr<std::shared_ptr<const Tensor>> load(moe::StoredTensor stored, mlir::ModuleOp module, llvm::StringRef name,
                                                      mlir::Operation *user);

private:
  struct Entry {
    std::shared_ptr<const Tensor> tensor;
    uint64_t lastUse;
  };
  using Key = std::pair<mlir::Attribute, mlir::Type>; // slices and type say all there is to know of a weight
  void makeRoom(size_t bytes);
  /// Reads or makes up one slice of a weight that messages call `name`.
  mlir::LogicalResult fill(moe::SliceAttr run, int64_t index, mlir::RankedTensorType type, mlir::ModuleOp module,
                           llvm::StringRef name, mlir::Operation *user, std::span<double> part);
  /// The bytes of a file that the module computes; nothing for others.
  mlir::FailureOr<std::optional<std::string>> compute(mlir::ModuleOp module, llvm::StringRef file, mlir::Operation *user);

  WeightOptions options;
  llvm::MapVector<Key, Entry> entries;
  uint64_t uses = 0;
  size_t bytesHeld = 0;
};

/// What a weight is stored as.
struct StoredParts {
  const Tensor &values, &scales;
  const Tensor *global = nullptr, *zeros = nullptr;
  /// Of each column, one that has such a scale; null where they are neighbours.
  const Tensor *groups = nullptr;
};

/// The weight that these stand for, numbers being of type `element`: shapes and format as a verifier has found them.
Tensor dequantize(moe::NumberFormatAttr format, mlir::Type element, const StoredParts &parts);

/// Fills `elements` with slice `index` of `run`, a part of a weight of `type`, read from a file of `folder`, or from its contents;
/// or says on `user` what is wrong.
mlir::LogicalResult readSliceOfFolder(moe::SliceAttr run, int64_t index, mlir::RankedTensorType type, llvm::StringRef folder,
                                      mlir::Operation *user, std::span<double> elements);
mlir::LogicalResult readSlice(moe::SliceAttr run, int64_t index, mlir::RankedTensorType type, llvm::StringRef contents,
                              mlir::Operation *user, std::span<double> elements);

/// How many elements behind the slice's first its `element`-th lies, of such a weight.
size_t placeOf(moe::SliceAttr run, size_t element, mlir::RankedTensorType weight);

/// Fills `elements` with made-up values, of a scale at which a decoder's activations stay near 1: entries of a matrix have variance
/// 1 / columns, those of a vector lie in [0.5, 1.5), integers below the number of columns.
void makeUpSlice(moe::SliceAttr run, int64_t index, mlir::RankedTensorType type, uint64_t seed, std::span<double> elements);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_WEIGHTS_H
