// The optimize phase of modules of functions.
#ifndef MOEC_PASSES_FUNCTIONPIPELINE_H
#define MOEC_PASSES_FUNCTIONPIPELINE_H

namespace mlir {
class OpPassManager;
}

namespace moec::passes {

/// What passes::buildOptimize does, for a normalized module of functions (moe::isOfFunctions).
void buildOptimizeFunctions(mlir::OpPassManager &passes);

} // namespace moec::passes

#endif // MOEC_PASSES_FUNCTIONPIPELINE_H
