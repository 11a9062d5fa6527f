// Where router logits may be.
#include "passes/raise/Logits.h"
#include "dialects/moe/MoE.h"
#include "passes/raise/Rows.h"
#include "passes/raise/Structure.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace moec;

/// Logits come out of a matrix product, and what comes before is no longer about experts.
static bool isMatrixProduct(Operation *op) {
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  return isa_and_nonnull<moe::LinearOp>(op) || (linalgOp && linalg::isaContractionOpInterface(linalgOp));
}

SmallVector<Value> passes::logitsOf(const Flow &flow, Value scores) {
  SmallVector<Value> way;
  flow.visitBottlenecks(
      scores, [](Value) { return false; },
      [&](Value value) {
        way.push_back(value);
        return !isMatrixProduct(value.getDefiningOp()) && way.size() < 64;
      });
  SmallVector<Value> found;
  for (Value value : llvm::reverse(way)) {
    Operation *op = value.getDefiningOp();
    if (value != way.back() && (isa<moe::MoEDialect>(op->getDialect()) || flow.readBy(op).size() != 1 || isReduction(op)))
      break;
    if (rowWidth(value) > 1)
      found.push_back(value);
  }
  return found;
}
