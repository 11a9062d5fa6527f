// The kernels of a module, keyed by what they compute.
#ifndef MOEC_LOWERING_PLAN_KERNELTABLE_H
#define MOEC_LOWERING_PLAN_KERNELTABLE_H

#include "dialects/moe/MoE.h"
#include "dialects/plan/Plan.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <vector>

namespace moec::lowering {

/// A kernel, and what the op that asked for it passes: the operands in order of the region's arguments, the caches in order of
/// their declarations in the region.
struct KernelUse {
  plan::KernelOp kernel;
  llvm::SmallVector<mlir::Value> arguments;
  llvm::SmallVector<mlir::FlatSymbolRefAttr> caches;
};

class KernelTable {
public:
  /// Kernels are created before `position` in the order of their first use. `symbols` are the module's weights and caches.
  KernelTable(const mlir::SymbolTable &symbols, mlir::Operation *position) : symbols(symbols), builder(position) {}

  /// The kernel that computes `op`, whose rows count `rows`. Fails with an error on an op that no launch computes.
  mlir::FailureOr<KernelUse> use(mlir::Operation *op, plan::Extent rows);

private:
  using Key = std::vector<uintptr_t>;

  llvm::SmallVector<int64_t> partRowsOf(mlir::Value value) const;
  Key keyOf(mlir::Operation *op, plan::Extent rows, KernelUse &use) const;
  mlir::LogicalResult make(mlir::Operation *op, plan::Extent rows, const KernelUse &use, plan::KernelOp &kernel);
  mlir::Operation *cloneInto(plan::KernelOp kernel, mlir::Operation *op, const KernelUse &use);
  std::string nameFor(llvm::StringRef stem);

  const mlir::SymbolTable &symbols;
  mlir::OpBuilder builder;
  std::map<Key, plan::KernelOp> kernels;
  llvm::StringMap<int> counts;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_PLAN_KERNELTABLE_H
