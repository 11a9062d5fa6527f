// What a model needs when it runs, from its plan alone.
#include "tools/moe-compile/Estimate.h"

#include "dialects/plan/Plan.h"
#include "llvm/Support/FormatVariadic.h"

#include <unistd.h>

using namespace llvm;
using namespace moec;

static std::string gibibytes(double bytes) { return formatv("{0:f2} GiB", bytes / double(1 << 30)).str(); }

std::string moec::compile::estimate(mlir::ModuleOp plan) {
  double weights = 0, cachePerPosition = 0, arena = 0, active = 0;
  for (auto weight : plan.getOps<plan::WeightOp>())
    for (auto part : weight.getParts().getAsRange<plan::PartAttr>())
      weights += double(part.getAllBytes());
  for (auto cache : plan.getOps<plan::CacheOp>()) {
    auto type = cast<mlir::RankedTensorType>(cache.getType());
    cachePerPosition += double(type.getShape().back() * type.getElementTypeBitWidth() / 8);
  }
  for (auto program : plan.getOps<plan::ProgramOp>()) {
    arena = std::max(arena, double(program.getArenaBytes().value_or(0)));
    if (program.getSymName() == "decode")
      for (auto launch : program.getBody().getOps<plan::LaunchOp>())
        active +=
            double(mlir::SymbolTable::lookupNearestSymbolFrom<plan::KernelOp>(program, launch.getKernelAttr()).getBytesPerRow());
  }
  auto model = *plan.getOps<plan::ModelOp>().begin();
  double cache = cachePerPosition * double(model.getMaxSequence()) * double(model.getMaxBatch());
  double memory = double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE)), needed = weights + cache + arena;
  std::string text;
  auto line = [&](StringRef label, const Twine &value) { text += formatv("{0,-28}{1}\n", label, value.str()).str(); };
  line("family", model.getFamily());
  line("parameters", formatv("{0:f3} M", double(model.getParameters()) * 1e-6));
  line("weights", gibibytes(weights));
  line("weights read per token", gibibytes(active));
  line("cache per position", Twine(int64_t(cachePerPosition)) + " bytes");
  line("cache",
       gibibytes(cache) + " for " + Twine(model.getMaxBatch()) + " sequences of " + Twine(model.getMaxSequence()) + " positions");
  line("activations", gibibytes(arena));
  line("memory", gibibytes(needed) + " of this machine's " + gibibytes(memory) + (needed <= memory ? ": fits" : ": does not fit"));
  return text;
}
