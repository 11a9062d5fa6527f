// Checks that a module can be written as an artifact.
#include "dialects/plan/Functions.h"
#include "lowering/plan/BufferSize.h"
#include "lowering/plan/Passes.h"
#include "lowering/plan/Tables.h"

using namespace mlir;
using namespace moec;
using namespace moec::plan;

namespace moec::lowering {
#define GEN_PASS_DEF_VERIFYPLAN
#include "lowering/plan/Passes.h.inc"
} // namespace moec::lowering

namespace {

LogicalResult verifyBuffers(ProgramOp program) {
  if (!program.getArenaBytes())
    return program.emitOpError() << "expected an arena size; run plan-assign-buffers";
  for (auto buffer : program.getBody().getOps<BufferOp>()) {
    if (buffer.getKind() != BufferKind::Arena)
      continue;
    if (!buffer.getOffset())
      return buffer.emitOpError() << "expected a place in the arena; run plan-assign-buffers";
    int64_t begin = *buffer.getOffset(), end = begin + lowering::bytesOf(buffer, program);
    if (end > int64_t(*program.getArenaBytes()))
      return buffer.emitOpError() << "expected a place within the arena's " << *program.getArenaBytes() << " bytes, got " << begin
                                  << " to " << end;
  }
  return success();
}

/// That the launches of `program` end with as many constants as their kernels' ops need.
LogicalResult verifyConstants(ProgramOp program, const SymbolTable &symbols) {
  for (auto launch : program.getBody().getOps<LaunchOp>()) {
    int64_t expected = 0, got = 0;
    symbols.lookup<KernelOp>(launch.getKernel()).walk([&](Operation *op) { expected += int64_t(lowering::tablesOf(op).size()); });
    for (Value buffer : launch.getBuffers()) {
      auto op = buffer.getDefiningOp<BufferOp>();
      got += op && op.getKind() == BufferKind::Constant;
    }
    if (got != expected)
      return launch.emitOpError() << "expected " << expected << " constant tables for '" << launch.getKernel() << "', got " << got;
  }
  return success();
}

struct VerifyPlan : lowering::impl::VerifyPlanBase<VerifyPlan> {
  void runOnOperation() override {
    if (failed(verify(getOperation())))
      signalPassFailure();
  }

  static LogicalResult verifyFunctions(ModuleOp module) {
    for (Operation &op : *module.getBody())
      if (!isa<GraphOp, FunctionOp, WeightOp>(op))
        return op.emitOpError() << "expected only functions and weights in a plan with a plan.graph";
    if (!llvm::hasSingleElement(module.getOps<GraphOp>()) || module.getOps<FunctionOp>().empty())
      return module.emitOpError() << "expected one plan.graph, and functions";
    return success();
  }

  static LogicalResult verify(ModuleOp module) {
    for (Operation &op : *module.getBody())
      if (!isa<PlanDialect>(op.getDialect()))
        return op.emitOpError() << "expected plan ops only after the plan phase";
    if (!module.getOps<GraphOp>().empty())
      return verifyFunctions(module);
    if (!llvm::hasSingleElement(module.getOps<ModelOp>()))
      return module.emitOpError() << "expected one plan.model";
    SymbolTable symbols(module);
    for (StringRef phase : {"prefill", "decode"})
      if (!symbols.lookup<ProgramOp>(phase))
        return module.emitOpError() << "expected a program for each phase, got none for " << phase;
    for (auto constant : module.getOps<ConstantOp>())
      if (!constant.getOffset())
        return constant.emitOpError() << "expected a place among the constants; run plan-assign-buffers";
    for (auto program : module.getOps<ProgramOp>())
      if (failed(verifyBuffers(program)) || failed(verifyConstants(program, symbols)))
        return failure();
    return success();
  }
};

} // namespace
