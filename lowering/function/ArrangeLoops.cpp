// The order of loops, and of sums, within structured ops.
#include "lowering/function/ArrangeLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

/// Whether all tensors of `op` are contiguous along `loop`, or the same all along it.
static bool isContiguous(linalg::GenericOp op, unsigned loop) {
  return llvm::all_of(op.getIndexingMapsArray(), [&](AffineMap map) {
    for (auto [dim, result] : llvm::enumerate(map.getResults()))
      if (result.isFunctionOfDim(loop) && (dim + 1 != map.getNumResults() || !isa<AffineDimExpr>(result)))
        return false;
    return true;
  });
}

/// Makes a contiguous loop the innermost.
static linalg::GenericOp order(RewriterBase &rewriter, linalg::GenericOp op) {
  unsigned loops = op.getNumLoops();
  for (unsigned loop = loops; loop-- > 0;) {
    if (!isContiguous(op, loop))
      continue;
    if (loop + 1 == loops)
      return op;
    SmallVector<unsigned> order;
    for (unsigned other = 0; other < loops; ++other)
      if (other != loop)
        order.push_back(other);
    order.push_back(loop);
    FailureOr<linalg::GenericOp> ordered = linalg::interchangeGenericOp(rewriter, op, order);
    return succeeded(ordered) ? *ordered : op;
  }
  return op;
}

/// Lets the sums and products of a reduction be taken in another order, and rounded once.
static void allowParts(linalg::GenericOp op) {
  auto flags = arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
  op.getRegion().walk([&](Operation *inner) {
    if (isa<arith::AddFOp, arith::MulFOp>(inner))
      inner->setAttr("fastmath", arith::FastMathFlagsAttr::get(inner->getContext(), flags));
  });
}

void moec::lowering::arrangeLoops(ModuleOp module) {
  SmallVector<linalg::LinalgOp> ops;
  module.walk([&](linalg::LinalgOp op) {
    if (op.getNumReductionLoops() > 0)
      ops.push_back(op);
  });
  IRRewriter rewriter(module.getContext());
  for (linalg::LinalgOp op : ops) {
    rewriter.setInsertionPoint(op);
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (!generic) {
      FailureOr<linalg::GenericOp> generalized = linalg::generalizeNamedOp(rewriter, op);
      if (failed(generalized))
        continue;
      generic = *generalized;
    }
    allowParts(order(rewriter, generic));
  }
}
