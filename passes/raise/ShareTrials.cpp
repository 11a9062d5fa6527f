// Has the passes behind it take what they try of one budget for each function.
#include "passes/raise/Passes.h"
#include "passes/raise/Trials.h"

namespace moec::passes {
#define GEN_PASS_DEF_SHARETRIALS
#include "passes/raise/Passes.h.inc"

namespace {

struct ShareTrials : impl::ShareTrialsBase<ShareTrials> {
  using ShareTrialsBase::ShareTrialsBase;

  void runOnOperation() override {
    auto &trials = getAnalysis<SharedTrials>();
    if (steps > 0)
      trials.share(getOperation(), uint64_t(int64_t(steps)));
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace moec::passes
