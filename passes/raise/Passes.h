// The passes that find moe ops in graphs of upstream ops.
#ifndef MOEC_PASSES_RAISE_PASSES_H
#define MOEC_PASSES_RAISE_PASSES_H

#include "dialects/moe/MoE.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

namespace moec::passes {

#define GEN_PASS_DECL
#include "passes/raise/Passes.h.inc"

/// For a module of functions (moe::isOfFunctions) as it was imported: what the graph computes, in moe ops where it is one.
void buildRaise(mlir::OpPassManager &passes);

/// The same; a decoder becomes a step over a batch, as other importers write it.
void buildRaiseStep(mlir::OpPassManager &passes);

/// Registers every pass, and all in their order as --moe-raise.
void registerRaisePasses();

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_PASSES_H
