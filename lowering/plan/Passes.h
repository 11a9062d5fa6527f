// The plan phase: an optimized model becomes kernels, buffers and launches.
#ifndef MOEC_LOWERING_PLAN_PASSES_H
#define MOEC_LOWERING_PLAN_PASSES_H

#include "dialects/moe/MoE.h"
#include "dialects/plan/Plan.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace moec::lowering {

#define GEN_PASS_DECL
#include "lowering/plan/Passes.h.inc"

/// The sizes a model is compiled for.
struct PlanOptions : mlir::PassPipelineOptions<PlanOptions> {
  Option<int64_t> maxSequence{
      *this, "max-sequence", llvm::cl::desc("positions of a sequence; 0: the model's own number, at most 4096"), llvm::cl::init(0)};
  Option<int64_t> maxBatch{*this, "max-batch", llvm::cl::desc("sequences of a step"), llvm::cl::init(8)};
  Option<int64_t> maxTokens{*this, "max-tokens", llvm::cl::desc("new tokens of a prefill step"), llvm::cl::init(512)};
};

/// Appends the passes of the plan phase.
void buildPlan(mlir::OpPassManager &passes, const PlanOptions &options);

/// The same for a module of functions (moe::isOfFunctions), which has neither kernels nor steps.
void buildPlanFunctions(mlir::OpPassManager &passes);

/// Registers the passes and the pipelines `plan-model` and `plan-functions`.
void registerPlanPasses();

} // namespace moec::lowering

#endif // MOEC_LOWERING_PLAN_PASSES_H
