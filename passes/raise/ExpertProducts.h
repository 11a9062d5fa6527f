// Where the weights of experts meet data.
#ifndef MOEC_PASSES_RAISE_EXPERTPRODUCTS_H
#define MOEC_PASSES_RAISE_EXPERTPRODUCTS_H

#include "mlir/IR/Value.h"

#include "llvm/ADT/SmallVector.h"

#include <string>
#include <vector>

namespace moec::passes {

/// A matrix product with a constant: one expert's matrix [a, b], or all experts' [experts, a, b], dimensions of size 1 aside.
struct ExpertProduct {
  mlir::Value weight;
  mlir::Value bias;                    ///< added to the product; null when there is none
  unsigned layer;                      ///< 1 when its data are the input's, 2 when they come from products of layer 1
  llvm::SmallVector<unsigned> sources; ///< of layer 2: which products of layer 1 its data come from
};

/// What `ops` between an input, router logits and an output do with weights.
struct ExpertProducts {
  std::vector<ExpertProduct> products; ///< of layer 1 and 2, in the order of the program
  /// Constants that enter what is computed of logits alone: biases of the selection.
  llvm::SmallVector<mlir::Value> routerBiases;
  /// Numbers that occur in the ops, which may be limits and factors of the activation.
  llvm::SmallVector<double> numbers;
  std::string problem; ///< why this is no expert's MLP; empty when it may be
};

/// `input` is null where only a routing is looked at.
ExpertProducts findExpertProducts(llvm::ArrayRef<mlir::Operation *> ops, mlir::Value input, mlir::Value logits);

/// The type's shape without dimensions of size 1.
llvm::SmallVector<int64_t> squeezedShape(mlir::Type type);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_EXPERTPRODUCTS_H
