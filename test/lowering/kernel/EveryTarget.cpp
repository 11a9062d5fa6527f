// Kernels at every level of the host's processor, and for every GPU target.
#include "EmulatedKernel.h"

using namespace moec::test;

std::vector<std::unique_ptr<CompiledKernel>> moec::test::compileKernel(mlir::ModuleOp plan, Tiles tiles) {
  std::vector<std::unique_ptr<CompiledKernel>> compiled = compileForProcessor(plan);
  for (auto &[symbol, code] : generateForGpus(plan, tiles))
    compiled.push_back(std::make_unique<EmulatedKernel>(symbol, std::move(code)));
  return compiled;
}
