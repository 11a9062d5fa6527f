// Kernels at every level of the host's processor, and for every GPU target.
#include "EmulatedKernel.h"

#include "dialects/moe/MoE.h"

using namespace moec::test;

/// Whether `plan` has what no GPU target does yet: it chooses positions or attends to lists of them, pools blocks of them or
/// attends to entries of such, or multiplies by groups.
static bool isForProcessors(mlir::ModuleOp plan) {
  return plan
      .walk([](mlir::Operation *op) {
        auto attention = llvm::dyn_cast<moec::moe::AttentionOp>(op);
        auto latent = llvm::dyn_cast<moec::moe::LatentAttentionOp>(op);
        auto absorbed = llvm::dyn_cast<moec::moe::AbsorbedAttentionOp>(op);
        bool is = llvm::isa<moec::moe::SelectPositionsOp, moec::moe::PoolBlocksOp, moec::moe::GroupedLinearOp>(op) ||
                  (attention && attention.getEntries()) || (latent && latent.getPositions()) ||
                  (absorbed && absorbed.getPositions());
        return is ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
      })
      .wasInterrupted();
}

std::vector<std::unique_ptr<CompiledKernel>> moec::test::compileKernel(mlir::ModuleOp plan) {
  std::vector<std::unique_ptr<CompiledKernel>> compiled = compileForProcessor(plan);
  if (isForProcessors(plan))
    return compiled;
  for (auto &[symbol, code] : generateForGpus(plan))
    compiled.push_back(std::make_unique<EmulatedKernel>(symbol, std::move(code)));
  return compiled;
}
