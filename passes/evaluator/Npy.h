// Arrays in NumPy's .npy format, version 1.0.
#ifndef MOEC_PASSES_EVALUATOR_NPY_H
#define MOEC_PASSES_EVALUATOR_NPY_H

#include "passes/evaluator/Tensor.h"

#include "llvm/Support/Error.h"

#include <string>

namespace moec::evaluator {

enum class NpyType { F64, F32, I32 };

/// Writes `tensor` to `path`, through a file beside it that is renamed when complete.
llvm::Error writeNpy(llvm::StringRef path, const Tensor &tensor, NpyType type);

/// Reads an array of booleans, integers or floating-point numbers.
llvm::Expected<Tensor> readNpy(llvm::StringRef path);

/// Reads token ids: a one-dimensional array of i4 or i8.
llvm::Expected<std::vector<int32_t>> readIds(llvm::StringRef path);

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_NPY_H
