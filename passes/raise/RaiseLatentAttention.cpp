// Finds latent attention in attention whose keys and values come from a latent.
#include "passes/Remarks.h"
#include "passes/raise/AbsorbedMatch.h"
#include "passes/raise/Draft.h"
#include "passes/raise/LatentMatch.h"
#include "passes/raise/Passes.h"
#include "passes/raise/Proof.h"
#include "passes/raise/Trials.h"

using namespace mlir;
using namespace moec;

namespace moec::passes {
#define GEN_PASS_DEF_RAISELATENTATTENTION
#include "passes/raise/Passes.h.inc"

namespace {

struct RaiseLatentAttention : TryingPass<impl::RaiseLatentAttentionBase<RaiseLatentAttention>> {
  void runOnOperation() override {
    Trials &trials = this->trials();
    known.emplace(Differences{trials.budget});
    if (getOperation().isDeclaration() || !getOperation().getBody().hasOneBlock())
      return;
    Flow flow(getOperation().getBody().front());
    SmallVector<moe::AttentionOp> all(getOperation().getOps<moe::AttentionOp>());
    for (moe::AttentionOp attention : all)
      raise(attention, flow);
    eraseDead(getOperation());
    trials.sayIfEnded(getOperation(), getArgument());
  }

  void raise(moe::AttentionOp attention, const Flow &flow) {
    std::string problem;
    if (std::optional<LatentMatch> match = LatentMatch::find(attention, known->budget, problem)) {
      if (replace(attention.getResult(), *match, flow, problem))
        return;
    } else if (std::optional<AbsorbedMatch> match = AbsorbedMatch::find(attention, flow)) {
      if (replace(match->result(), *match, flow, problem))
        return;
    }
    if (!problem.empty())
      remark::missed(attention.getLoc(), remarkOf(getArgument(), attention)) << "attention stays as it is: " << problem;
  }

  template <typename Match> bool replace(Value old, Match &match, const Flow &flow, std::string &problem) {
    Operation *last = old.getDefiningOp();
    Draft draft(last);
    Value result = match.build(draft.builder);
    std::optional<std::string> difference = result ? differenceOf(old, result, match.inputs(flow), *known)
                                                   : std::optional<std::string>("its weights do not have heads one after another");
    if (difference) {
      problem = *difference;
      return false;
    }
    remark::passed(last->getLoc(), remarkOf(getArgument(), last)) << "latent attention: " << match.description();
    old.replaceAllUsesWith(result);
    draft.keep();
    return true;
  }

  std::optional<Differences> known;
};

} // namespace
} // namespace moec::passes
