// The plan phase, a pass a line.
#include "lowering/plan/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace moec;

namespace moec::lowering {
namespace {
#define GEN_PASS_REGISTRATION
#include "lowering/plan/Passes.h.inc"
} // namespace
} // namespace moec::lowering

void lowering::buildPlan(OpPassManager &passes, const PlanOptions &options) {
  passes.addPass(createDescribeModel({options.maxSequence, options.maxBatch}));
  passes.addNestedPass<func::FuncOp>(createSampleOutputs());
  passes.addNestedPass<func::FuncOp>(createStageProducts());
  passes.addPass(createCutKernels({options.maxTokens}));
  passes.addPass(createAssignBuffers());
  passes.addPass(createVerifyPlan());
}

void lowering::buildPlanFunctions(OpPassManager &passes) {
  passes.addPass(createDescribeModel());
  passes.addPass(createConvertFunctions());
  passes.addPass(createVerifyPlan());
}

void lowering::registerPlanPasses() {
  registerPasses();
  PassPipelineRegistration<>("plan-functions", "turn an optimized module of functions into a plan", buildPlanFunctions);
  PassPipelineRegistration<PlanOptions>("plan-model", "cut an optimized model into kernels, buffers and launches", buildPlan);
}
