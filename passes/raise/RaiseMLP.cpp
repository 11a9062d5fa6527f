// Finds gated MLPs between products with weights.
#include "passes/Remarks.h"
#include "passes/raise/Draft.h"
#include "passes/raise/Passes.h"
#include "passes/raise/Proof.h"
#include "passes/raise/Structure.h"
#include "passes/raise/Trials.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace moec;

namespace moec::passes {
#define GEN_PASS_DEF_RAISEMLP
#include "passes/raise/Passes.h.inc"

namespace {

bool isPlain(moe::LinearOp linear) { return linear && !linear.getBias() && !linear.getResidual(); }

/// Three products: of an input with two weights, and of what is made of both.
struct Candidate {
  moe::LinearOp one, other, down;
};

/// The products that the input of `down` is made of by ops on elements; nothing unless they are two of one input.
std::optional<Candidate> candidateAt(moe::LinearOp down) {
  constexpr size_t most = 32; // ops between products
  SetVector<Value> found;
  SmallVector<moe::LinearOp> products;
  found.insert(down.getInput());
  for (size_t next = 0; next < found.size(); ++next) {
    Operation *op = found[next].getDefiningOp();
    if (auto product = dyn_cast_or_null<moe::LinearOp>(op)) {
      products.push_back(product);
      continue;
    }
    if (found.size() > most || (op && (isa<moe::MoEDialect>(op->getDialect()) || isReduction(op))))
      return std::nullopt;
    for (Value read : op ? valuesReadBy(op) : SmallVector<Value>())
      if (isa<RankedTensorType>(read.getType()))
        found.insert(read);
  }
  if (products.size() != 2 || !isPlain(products[0]) || !isPlain(products[1]) || products[0].getInput() != products[1].getInput() ||
      products[0].getType() != products[1].getType() || products[0].getType() != down.getInput().getType())
    return std::nullopt;
  // The gate is mostly written first.
  if (products[1]->isBeforeInBlock(products[0]))
    std::swap(products[0], products[1]);
  return Candidate{products[0], products[1], down};
}

struct RaiseMLP : TryingPass<impl::RaiseMLPBase<RaiseMLP>> {
  void runOnOperation() override {
    Trials &trials = this->trials();
    known.emplace(Differences{trials.budget});
    SmallVector<moe::LinearOp> products(getOperation().getOps<moe::LinearOp>());
    for (moe::LinearOp down : products)
      if (isPlain(down))
        if (std::optional<Candidate> candidate = candidateAt(down))
          raise(*candidate);
    eraseDead(getOperation());
    trials.sayIfEnded(getOperation(), getArgument());
  }

  void raise(const Candidate &candidate) {
    MLIRContext *context = &getContext();
    moe::LinearOp down = candidate.down;
    std::string problem;
    for (auto kind :
         {moe::ActivationKind::SiLU, moe::ActivationKind::GELU, moe::ActivationKind::GELUTanh, moe::ActivationKind::ReLU})
      for (auto [gate, up] : {std::pair(candidate.one, candidate.other), {candidate.other, candidate.one}}) {
        auto activation = moe::ActivationAttr::get(context, kind, moe::F64(1.0), std::nullopt, std::nullopt, moe::F64(0.0));
        {
          Draft draft(down);
          Value activated =
              moe::ActivateOp::create(draft.builder, down.getLoc(), gate.getType(), gate.getResult(), up.getResult(), activation);
          Value inputs[] = {gate.getResult(), up.getResult()};
          if (std::optional<std::string> difference = differenceOf(down.getInput(), activated, inputs, *known)) {
            problem = *difference;
            continue;
          }
        }
        OpBuilder builder(down);
        Value result = moe::GatedMLPOp::create(builder, down.getLoc(), down.getType(), gate.getInput(), gate.getWeight(),
                                               up.getWeight(), down.getWeight(), /*residual=*/Value(), activation);
        remark::passed(down.getLoc(), remarkOf(getArgument(), down)) << "a gated MLP with " << moe::stringifyActivationKind(kind);
        down.getResult().replaceAllUsesWith(result);
        return;
      }
    remark::missed(down.getLoc(), remarkOf(getArgument(), down)) << "two products that a third takes stay as they are: " << problem;
  }

  std::optional<Differences> known;
};

} // namespace
} // namespace moec::passes
