// The matrices of experts as moe.experts takes them, from products as a graph writes them.
#ifndef MOEC_PASSES_RAISE_EXPERTSTACKS_H
#define MOEC_PASSES_RAISE_EXPERTSTACKS_H

#include "mlir/IR/Builders.h"
#include "passes/raise/ExpertProducts.h"

#include <optional>

namespace moec::passes {

/// Where gate and up are.
enum class GateUp {
  None,        ///< one product, which is the gate
  Apart,       ///< two products
  Halves,      ///< one product, whose columns are gate and then up
  Interleaved, ///< one product, whose columns take turns
};

/// How the constants of products are to be read. Which of two is the gate, and whether a matrix is stored [in, out], sizes do not
/// always say.
struct ExpertForm {
  GateUp gateUp;
  bool isUpFirst = false;
  bool isFirstTransposed = false;  ///< products of layer 1 are [in, out]
  bool isSecondTransposed = false; ///< those of layer 2
};

/// The products of one expert, or of all where their constants are stacked.
struct ExpertBranch {
  llvm::SmallVector<const ExpertProduct *, 2> first;
  const ExpertProduct *second;
};

/// All experts of a layer.
struct ExpertBranches {
  std::vector<ExpertBranch> branches;
  bool areStacked;
  int64_t experts; ///< how many there are
};

/// Groups products by expert; nothing, and why, when that cannot be done.
std::optional<ExpertBranches> branchesOf(const ExpertProducts &products, std::string &problem);

/// All forms that the sizes allow, for an input and an output so wide.
std::vector<ExpertForm> formsOf(const ExpertBranches &experts, int64_t inputWidth, int64_t outputWidth);

/// Operands of moe.experts. Biases are null when there are none; up is gate where there is none.
struct ExpertStacks {
  mlir::Value gate, up, down, gateBias, upBias, downBias;
};

/// Ops that make the stacks, expert by expert: `branchOf` says which branch each one is. `weight` gives a constant at the builder's
/// place.
ExpertStacks buildStacks(mlir::OpBuilder &builder, mlir::Location loc, const ExpertBranches &experts, const ExpertForm &form,
                         llvm::ArrayRef<int64_t> branchOf, llvm::function_ref<mlir::Value(mlir::Value)> weight);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_EXPERTSTACKS_H
