// The order of the raising passes.
#include "passes/raise/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace moec;

namespace moec::passes {
namespace {
#define GEN_PASS_REGISTRATION
#include "passes/raise/Passes.h.inc"
} // namespace
} // namespace moec::passes

void passes::buildRaise(OpPassManager &passes) {
  passes.addPass(createShareTrials());
  passes.addNestedPass<func::FuncOp>(createRaiseExperts());
  passes.addNestedPass<func::FuncOp>(createRaiseRouting());
  passes.addNestedPass<func::FuncOp>(createRaiseRope());
  passes.addNestedPass<func::FuncOp>(createRaiseAttention());
  // Of attention whose keys and values it can follow back.
  passes.addNestedPass<func::FuncOp>(createRaiseLatentAttention());
  passes.addNestedPass<func::FuncOp>(createRaiseNorms());
  // Once nothing looks at their numbers any more.
  passes.addPass(createStoreConstants());
  // Last, for products are what the others start from.
  passes.addNestedPass<func::FuncOp>(createRaiseLinears());
  passes.addNestedPass<func::FuncOp>(createRaiseMLP());
  // Biases of products as well.
  passes.addPass(createStoreConstants());
  passes.addPass(createFoldWeights());
}

void passes::buildRaiseStep(OpPassManager &passes) {
  buildRaise(passes);
  passes.addPass(createRaiseStep());
}

void passes::registerRaisePasses() {
  registerFindPasses();
  PassPipelineRegistration<>("moe-raise", "find moe ops in a graph of upstream ops", buildRaise);
}
