// The ops of the moe dialect as loops over tensors, for what no kernel is written for: right and slow.
#ifndef MOEC_LOWERING_LOOPS_LOOPS_H
#define MOEC_LOWERING_LOOPS_LOOPS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace moec::lowering {

/// Turns every moe op of `module` into linalg, scf, tensor, arith and math ops of the same meaning, each with a remark. Fails with
/// an error on an op that has no loops.
mlir::LogicalResult convertToLoops(mlir::ModuleOp module);

void populateAttentionLoops(mlir::RewritePatternSet &patterns); ///< attention over rows
void populateDenseLoops(mlir::RewritePatternSet &patterns);     ///< products, norms, activations
void populateExpertLoops(mlir::RewritePatternSet &patterns);    ///< experts
void populateModelLoops(mlir::RewritePatternSet &patterns);     ///< embeddings, columns
void populateRopeLoops(mlir::RewritePatternSet &patterns);      ///< rotary embeddings
void populateRouteLoops(mlir::RewritePatternSet &patterns);     ///< routing
void populateWeightLoops(mlir::RewritePatternSet &patterns);    ///< quantised weights

} // namespace moec::lowering

#endif // MOEC_LOWERING_LOOPS_LOOPS_H
