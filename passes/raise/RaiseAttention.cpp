// Finds attention between a product of queries and keys and one with values.
#include "passes/Remarks.h"
#include "passes/raise/AttentionMatch.h"
#include "passes/raise/Draft.h"
#include "passes/raise/Passes.h"
#include "passes/raise/Proof.h"
#include "passes/raise/Trials.h"

using namespace mlir;
using namespace moec;

namespace moec::passes {
#define GEN_PASS_DEF_RAISEATTENTION
#include "passes/raise/Passes.h.inc"

namespace {

struct RaiseAttention : TryingPass<impl::RaiseAttentionBase<RaiseAttention>> {
  void runOnOperation() override {
    Trials &trials = this->trials();
    known.emplace(Differences{trials.budget});
    if (getOperation().isDeclaration() || !getOperation().getBody().hasOneBlock())
      return;
    Block &block = getOperation().getBody().front();
    Flow flow(block);
    SmallVector<Contraction> products;
    for (Operation &op : block)
      if (std::optional<Contraction> product = Contraction::of(&op))
        products.push_back(*product);
    for (const Contraction &weighted : products)
      for (const Contraction &scores : scoresBehind(weighted, flow))
        if (raise(scores, weighted, flow))
          break;
    eraseDead(getOperation());
    trials.sayIfEnded(getOperation(), getArgument());
  }

  bool raise(const Contraction &scores, const Contraction &weighted, const Flow &flow) {
    Operation *last = weighted.op;
    Draft draft(last);
    AttentionMatch match(scores, weighted, flow, known->budget);
    std::optional<std::string> problem = match.observe();
    Value result;
    if (!problem) {
      result = match.build(draft.builder);
      problem = result ? differenceOf(weighted.result(), result, match.inputs(), *known) : match.problem();
    }
    if (problem) {
      remark::missed(last->getLoc(), remarkOf(getArgument(), last))
          << "a softmax between two products stays as it is: " << *problem;
      return false;
    }
    remark::passed(last->getLoc(), remarkOf(getArgument(), last)) << "attention: " << match.description();
    last->getResult(0).replaceAllUsesWith(result);
    draft.keep();
    return true;
  }

  std::optional<Differences> known;
};

} // namespace
} // namespace moec::passes
