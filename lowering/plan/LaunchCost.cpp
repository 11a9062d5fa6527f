// What one row of a launch costs.
#include "lowering/plan/LaunchCost.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static int64_t elements(Value value) { return value ? typeOf(value).getNumElements() : 0; }

static int64_t bytes(Value value) { return value ? storedBytes(value) : 0; }

/// FLOP of the chosen k of the experts that `weights` stack.
static int64_t expertFlop(std::initializer_list<Value> weights, int64_t k) {
  int64_t flop = 0;
  for (Value weight : weights)
    flop += 2 * k * (elements(weight) / typeOf(weight).getDimSize(0));
  return flop;
}

/// The part of stacked weights that k experts are.
static int64_t unusedBytes(std::initializer_list<Value> weights, int64_t k) {
  int64_t unused = 0;
  for (Value weight : weights)
    if (weight) {
      int64_t experts = typeOf(weight).getDimSize(0);
      unused += bytes(weight) / experts * (experts - std::min(k, experts));
    }
  return unused;
}

/// Row-wise work: one FLOP for each element that an op makes.
static int64_t rowwiseFlop(RowwiseOp group) {
  int64_t flop = 0;
  for (Operation &op : group.getBody().front().without_terminator())
    for (Type type : op.getResultTypes())
      flop += widthOf(type);
  return flop;
}

/// Of a table of experts a token reads its own row.
static int64_t unusedTableBytes(RowwiseOp group) {
  int64_t unused = 0;
  for (auto route : group.getBody().front().getOps<RouteOp>())
    if (Value table = route.getTable())
      unused += bytes(table) - bytes(table) / typeOf(table).getDimSize(0);
  return unused;
}

lowering::RowCost lowering::costOfRow(Operation *op, llvm::function_ref<bool(Value)> isWeight) {
  RowCost cost;
  for (Value operand : op->getOperands())
    if (isWeight(operand))
      cost.weightBytes += bytes(operand);

  TypeSwitch<Operation *>(op)
      .Case<LinearOp, GroupedLinearOp>([&](auto op) { cost.flop = 2 * elements(op.getWeight()); })
      .Case([&](GateUpOp op) { cost.flop = 2 * (elements(op.getGate()) + elements(op.getUp())); })
      .Case([&](ExpertHiddenOp op) {
        int64_t k = widthOf(op.getOrder().getType());
        cost.flop = expertFlop({op.getGate(), op.getUp()}, k) + 2 * (elements(op.getSharedGate()) + elements(op.getSharedUp()));
        cost.weightBytes -= unusedBytes({op.getGate(), op.getUp(), op.getGateBias(), op.getUpBias()}, k);
      })
      .Case([&](CombineOp op) {
        int64_t k = widthOf(op.getOrder().getType());
        cost.flop = expertFlop({op.getDown()}, k) + 2 * elements(op.getSharedDown());
        cost.weightBytes -= unusedBytes({op.getDown(), op.getDownBias()}, k);
      })
      .Case([&](EmbedOp op) { cost.weightBytes = bytes(op.getTable()) / typeOf(op.getTable()).getDimSize(0); })
      .Case<LatentAttentionOp, AbsorbedAttentionOp>(
          [&](auto op) { cost.flop = 2 * (elements(op.getKeyUp()) + elements(op.getValueUp())); })
      .Case([&](SampleOp op) { cost.flop = widthOf(op.getLogits().getType()); })
      .Case([&](PoolBlocksOp op) { cost.flop = 4 * widthOf(op.getBias().getType()); })
      .Case([&](SelectPositionsOp op) { cost.flop = 2 * widthOf(op.getQuery().getType()); })
      .Case([&](AttentionOp op) { cost.flop = 2 * (widthOf(op.getQuery().getType()) + widthOf(op.getType())); })
      .Case([&](RowwiseOp op) {
        cost.flop = rowwiseFlop(op);
        cost.weightBytes -= unusedTableBytes(op);
      });
  return cost;
}
