// The phases between import and plan, a pass a line.
#include "passes/FunctionPipeline.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace moec;

namespace moec::passes {
namespace {
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"
} // namespace
} // namespace moec::passes

/// Leaves blocks as they are: what is imported has one a region, and looking for more costs a tenth of the pass.
static std::unique_ptr<Pass> createCanonicalizer() {
  return createCanonicalizerPass(GreedyRewriteConfig().setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled));
}

void passes::buildNormalize(OpPassManager &passes) {
  passes.addPass(createCanonicalizer());
  passes.addPass(createCSEPass());
  passes.addPass(createNormalizeRouting());
  passes.addPass(createVerifyNormalized());
}

void passes::buildOptimize(OpPassManager &passes, const OptimizeOptions &options) {
  // Decisions
  passes.addPass(createRequantizeWeights({options.weightFormat}));
  passes.addPass(createChooseNumberFormats({options.compute}));
  passes.addPass(createSpecializePhases());
  passes.addNestedPass<func::FuncOp>(createAbsorbLatentAttention());

  // Kernels
  passes.addNestedPass<func::FuncOp>(createFuseGateUp());
  passes.addNestedPass<func::FuncOp>(createFuseExperts());
  // Before residuals: they would take the sum with the shared experts.
  passes.addNestedPass<func::FuncOp>(createFoldSharedExperts());
  passes.addNestedPass<func::FuncOp>(createFuseResiduals());
  passes.addNestedPass<func::FuncOp>(createNarrowToOutputs());
  passes.addPass(createFuseLinears());

  // What is left between the kernels
  // Columns of columns, weights that lost their readers.
  passes.addPass(createCanonicalizer());
  passes.addNestedPass<func::FuncOp>(createFuseRowwise());
  passes.addPass(createVerifyOptimized());
}

void passes::buildOptimizeFunctions(OpPassManager &passes) {
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createVerifyOptimized());
}

void passes::registerMoEPasses() {
  registerSinglePasses();
  PassPipelineRegistration<>("moe-normalize", "bring an imported model to its canonical form", buildNormalize);
  PassPipelineRegistration<>("moe-optimize-functions", "the same for a normalized module of functions", buildOptimizeFunctions);
  PassPipelineRegistration<OptimizeOptions>("moe-optimize", "specialise, fuse and group a normalized model", buildOptimize);
}
