// What trying the parts of a function may take.
#include "passes/raise/Trials.h"
#include "passes/Remarks.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec::passes;

/// What trying the first of layers of real widths takes, and what following each op through a step takes besides.
uint64_t Trials::stepsFor(func::FuncOp function) {
  constexpr uint64_t least = uint64_t(1) << 30, most = uint64_t(1) << 31, forOp = uint64_t(1) << 15;
  uint64_t steps = least;
  function.walk([&](Operation *) { steps = std::min(steps + forOp, most); });
  return steps;
}

void Trials::sayIfEnded(func::FuncOp function, StringRef pass) {
  if (isSaid || budget.rest() > 0)
    return;
  isSaid = true;
  remark::missed(function.getLoc(), remarkOf(pass, function))
      << llvm::formatv("trying what its parts may be has taken all of the {0} steps that it may take: what was not found by then "
                       "stays as it is",
                       steps)
             .str();
}

void SharedTrials::share(Operation *module, std::optional<uint64_t> steps) {
  all.clear();
  for (Region &region : module->getRegions())
    for (auto function : region.getOps<func::FuncOp>())
      all.try_emplace(function, steps ? Trials(*steps) : Trials(function));
}
