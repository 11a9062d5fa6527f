// Computes only the rows that the caller asked for, as early as that pays.
#include "passes/Passes.h"
#include "passes/Remarks.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_NARROWTOOUTPUTS
#include "passes/Passes.h.inc"

namespace {
/// Whether `op` can run for some of the tokens: it treats rows by themselves, takes none that cannot be gathered (expert ids,
/// token ids) and knows nothing of the batch.
bool canNarrow(Operation *op) {
  return isPure(op) && (isRowwise(op) || isa<LinearOp, GroupedLinearOp, GateUpOp, GatedMLPOp, FusedExpertsOp>(op)) &&
         llvm::all_of(op->getOperandTypes(), [](Type type) { return isRows(type) || isWeight(type); });
}

/// The operands of `op` that have a row for each token.
llvm::SetVector<Value> tokenRows(Operation *op) {
  llvm::SetVector<Value> rows;
  for (Value operand : op->getOperands())
    if (isRows(operand.getType()))
      rows.insert(operand);
  return rows;
}

struct NarrowToOutputs : impl::NarrowToOutputsBase<NarrowToOutputs> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTableCollection symbols;
    getOperation().walk([&](GatherOutputsOp gather) { pending.insert(gather); });
    while (!pending.empty()) {
      GatherOutputsOp gather = pending.pop_back_val();
      if (gather->use_empty()) {
        gathers.erase(gather.getInput());
        gather.erase();
      } else {
        gathers[gather.getInput()] = gather;
        moveUp(gather, symbols);
      }
    }
    gathers.clear();
  }

  void moveUp(GatherOutputsOp gather, SymbolTableCollection &symbols) {
    Value narrowed = gather.getInput();
    Operation *op = narrowed.getDefiningOp();
    if (!op || op->getBlock() != gather->getBlock() || !canNarrow(op) || !narrowed.hasOneUse())
      return;
    auto experts = dyn_cast<FusedExpertsOp>(op);
    if (experts ? narrowed != experts.getResult() : op->getNumResults() != 1)
      return;
    bool repeatsRouting = experts && !experts.getIds().use_empty();
    if (!pays(op, repeatsRouting, symbols))
      return;

    if (repeatsRouting) {
      OpBuilder builder(op);
      auto route =
          RouteOp::create(builder, op->getLoc(), experts.getIds().getType(), rowsOfWidth(experts.getRouting().getK()),
                          experts.getLogits(), experts.getBias(), /*table=*/Value(), /*token_ids=*/Value(), experts.getRouting());
      experts.getIds().replaceAllUsesWith(route.getIds());
    }
    op->moveBefore(gather);
    for (Value rows : tokenRows(op))
      op->replaceUsesOfWith(rows, gathered(rows, gather, op));
    gathers.erase(narrowed);
    gather.replaceAllUsesWith(narrowed);
    gather.erase();
  }

  /// The outputs' rows of `rows`, as `like` gathers them, ready before `reader`.
  Value gathered(Value rows, GatherOutputsOp like, Operation *reader) {
    GatherOutputsOp &gather = gathers[rows];
    if (!gather) {
      OpBuilder builder(reader);
      gather = GatherOutputsOp::create(builder, like.getLoc(), rows.getType(), rows, like.getBatch());
    } else if (reader->isBeforeInBlock(gather)) {
      gather->moveBefore(reader);
    }
    pending.insert(gather);
    return gather.getResult();
  }

  /// Compares what `op` costs for tokens and for an output with the launches that the change adds, and says so.
  bool pays(Operation *op, bool repeatsRouting, SymbolTableCollection &symbols) {
    Workload workload = typicalWorkload(getOperation());
    int64_t launches = repeatsRouting - 1; // its own gather goes
    for (Value rows : tokenRows(op))
      launches += !gathers.contains(rows);
    auto time = [&](int64_t rows) { return roofline(costOf(op, workload, rows, symbols), flopPerByte); };
    double saved = time(workload.tokens) - time(1);
    double added = double(launches) * double(launchBytes);
    bool pays = saved > added;
    remark::RemarkOpts label = remarkOf(getArgument(), op);
    (pays ? remark::passed(op->getLoc(), label) : remark::missed(op->getLoc(), label))
        << llvm::formatv("{0} tokens, 1 output: saves the time of {1:f0} KB, adds {2} launches of {3} KB", workload.tokens,
                         saved / 1024, launches, launchBytes / 1024)
               .str();
    return pays;
  }

  Type rowsOfWidth(int64_t width) { return RankedTensorType::get({ShapedType::kDynamic, width}, Float32Type::get(&getContext())); }

  llvm::SetVector<GatherOutputsOp> pending;
  DenseMap<Value, GatherOutputsOp> gathers;
};
} // namespace
} // namespace moec::passes
