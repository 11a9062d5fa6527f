// How data flows through the ops of a function.
#ifndef MOEC_PASSES_RAISE_FLOW_H
#define MOEC_PASSES_RAISE_FLOW_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Value.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace moec::passes {

/// The flow of tensors' elements between the ops of a block, regions of which are part of their ops; sizes and constants are left
/// aside. Stays true while ops are added whose operands and results update() was told of.
class Flow {
public:
  explicit Flow(mlir::Block &block);

  /// Whether `value` depends on elements of an argument.
  bool isData(mlir::Value value) const { return data.contains(value); }
  void update(mlir::Operation *op);
  /// Data that `op` reads.
  llvm::SmallVector<mlir::Value> readBy(mlir::Operation *op) const;
  /// The ops of the block that read `value`, in order.
  llvm::SmallVector<mlir::Operation *> readersOf(mlir::Value value) const;

  /// Calls `visit` with every value that all ways from arguments to `from` go through, the nearest first, beginning with `from`
  /// itself. Goes no further than values that `isEnd`. Stops when `visit` answers false.
  void visitBottlenecks(mlir::Value from, llvm::function_ref<bool(mlir::Value)> isEnd,
                        llvm::function_ref<bool(mlir::Value)> visit) const;

  /// What is made of `source` and constants alone.
  struct Cone {
    llvm::DenseSet<mlir::Value> values;
    llvm::SmallVector<mlir::Operation *> ops;
    llvm::SmallVector<mlir::Operation *> exits; ///< that read values of the cone and other data, in order
  };
  Cone coneOf(mlir::Value source) const;

  /// Calls `visit` with every op that the `exits` lead to, in order, and with which of them lead there. Stops when it answers
  /// false.
  void visitBehind(llvm::ArrayRef<mlir::Operation *> exits,
                   llvm::function_ref<bool(mlir::Operation *, const llvm::BitVector &)> visit) const;

private:
  mlir::Block &block;
  llvm::DenseSet<mlir::Value> data;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_FLOW_H
