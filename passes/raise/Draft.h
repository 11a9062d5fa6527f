// Ops that are put in to be tried, and ops that have become of no use.
#ifndef MOEC_PASSES_RAISE_DRAFT_H
#define MOEC_PASSES_RAISE_DRAFT_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"

namespace moec::passes {

/// What is put before an op while the draft lives; it goes again unless it is kept.
class Draft {
public:
  explicit Draft(mlir::Operation *next) : builder(next), previous(next->getPrevNode()), next(next) {}
  Draft(const Draft &) = delete;
  ~Draft() {
    while (!isKept && next->getPrevNode() != previous)
      next->getPrevNode()->erase();
  }
  /// The ops, in order, which stay.
  llvm::SmallVector<mlir::Operation *> keep() {
    isKept = true;
    llvm::SmallVector<mlir::Operation *> ops;
    for (mlir::Operation *op = next->getPrevNode(); op != previous; op = op->getPrevNode())
      ops.push_back(op);
    return {ops.rbegin(), ops.rend()};
  }

  mlir::OpBuilder builder;

private:
  mlir::Operation *previous, *next;
  bool isKept = false;
};

/// Erases the ops within `op` that nothing reads, and then those that only they read.
inline void eraseDead(mlir::Operation *op) {
  mlir::IRRewriter rewriter(op->getContext());
  while (succeeded(mlir::runRegionDCE(rewriter, op->getRegions()))) {
  }
}

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_DRAFT_H
