// Kernels at every level of the host's processor, and for every GPU target.
#include "EmulatedKernel.h"

#include "dialects/moe/MoE.h"

using namespace moec::test;

/// Whether `plan` chooses positions or attends to lists of them, which no GPU target does yet.
static bool usesLists(mlir::ModuleOp plan) {
  bool uses = false;
  plan.walk([&](mlir::Operation *op) {
    auto latent = llvm::dyn_cast<moec::moe::LatentAttentionOp>(op);
    auto absorbed = llvm::dyn_cast<moec::moe::AbsorbedAttentionOp>(op);
    uses |=
        llvm::isa<moec::moe::SelectPositionsOp>(op) || (latent && latent.getPositions()) || (absorbed && absorbed.getPositions());
  });
  return uses;
}

std::vector<std::unique_ptr<CompiledKernel>> moec::test::compileKernel(mlir::ModuleOp plan) {
  std::vector<std::unique_ptr<CompiledKernel>> compiled = compileForProcessor(plan);
  if (usesLists(plan))
    return compiled;
  for (auto &[symbol, code] : generateForGpus(plan))
    compiled.push_back(std::make_unique<EmulatedKernel>(symbol, std::move(code)));
  return compiled;
}
