// Splits ops that take several launches into ops that take one each.
#include "lowering/plan/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace moec::lowering {
#define GEN_PASS_DEF_STAGEPRODUCTS
#include "lowering/plan/Passes.h.inc"
} // namespace moec::lowering

namespace {

/// A group that holds `op` alone takes its place.
void groupAlone(Operation *op) {
  OpBuilder builder(op);
  llvm::SetVector<Value> inputs(op->operand_begin(), op->operand_end());
  auto group = RowwiseOp::create(builder, op->getLoc(), op->getResultTypes(), inputs.getArrayRef());
  Block &body = group.getBody().emplaceBlock();
  IRMapping mapping;
  for (Value input : inputs)
    mapping.map(input, body.addArgument(input.getType(), input.getLoc()));
  builder.setInsertionPointToStart(&body);
  Operation *inner = builder.clone(*op, mapping);
  YieldOp::create(builder, op->getLoc(), inner->getResults());
  op->replaceAllUsesWith(group.getResults());
  op->erase();
}

/// What the stages of experts need besides routing; the shared weights, biases and the residual may be null.
struct Experts {
  template <typename OpT>
  explicit Experts(OpT op)
      : input(op.getInput()), gate(op.getGate()), up(op.getUp()), down(op.getDown()), gateBias(op.getGateBias()),
        upBias(op.getUpBias()), downBias(op.getDownBias()), activation(op.getActivation()), weightOnInput(op.getWeightOnInput()),
        compute(op.getCompute()) {}

  Value input, gate, up, down, gateBias, upBias, downBias, sharedGate, sharedUp, sharedDown, residual;
  ActivationAttr activation;
  bool weightOnInput;
  Compute compute;
};

/// The result of the experts that `ids` choose.
Value stageExperts(OpBuilder &builder, Location loc, const Experts &experts, Value ids, Value weights) {
  auto gate = cast<RankedTensorType>(experts.gate.getType());
  int64_t count = gate.getDimSize(0), k = widthOf(ids.getType());
  int64_t shared = experts.sharedGate ? cast<RankedTensorType>(experts.sharedGate.getType()).getDimSize(0) : 0;
  int64_t out = cast<RankedTensorType>(experts.down.getType()).getDimSize(1);
  auto rows = [&](int64_t width) { return RankedTensorType::get({ShapedType::kDynamic, width}, builder.getF32Type()); };

  auto dispatch = DispatchOp::create(builder, loc, RankedTensorType::get({count + 1}, builder.getI32Type()), ids.getType(), ids);
  auto hidden = ExpertHiddenOp::create(builder, loc, rows(k * gate.getDimSize(1) + shared), experts.input, dispatch.getOffsets(),
                                       dispatch.getOrder(), experts.weightOnInput ? weights : Value(), experts.gate, experts.up,
                                       experts.gateBias, experts.upBias, experts.sharedGate, experts.sharedUp, experts.activation,
                                       experts.compute);
  return CombineOp::create(builder, loc, rows(out), hidden, experts.weightOnInput ? Value() : weights, dispatch.getOffsets(),
                           dispatch.getOrder(), experts.down, experts.downBias, experts.sharedDown, experts.residual,
                           experts.compute);
}

void stage(FusedExpertsOp op) {
  OpBuilder builder(op);
  Type weights = RankedTensorType::get({ShapedType::kDynamic, op.getRouting().getK()}, builder.getF32Type());
  auto route = RouteOp::create(builder, op.getLoc(), op.getIds().getType(), weights, op.getLogits(), op.getBias(), Value(), Value(),
                               op.getRouting());
  Experts experts(op);
  experts.sharedGate = op.getSharedGate(), experts.sharedUp = op.getSharedUp(), experts.sharedDown = op.getSharedDown();
  experts.residual = op.getResidual();
  Value result = stageExperts(builder, op.getLoc(), experts, route.getIds(), route.getWeights());
  op->replaceAllUsesWith(ValueRange{result, route.getIds()});
  op->erase();
  groupAlone(route);
}

void stage(ExpertsOp op) {
  OpBuilder builder(op);
  op->replaceAllUsesWith(ValueRange{stageExperts(builder, op.getLoc(), Experts(op), op.getIds(), op.getWeights())});
  op->erase();
}

void stage(GatedMLPOp op) {
  OpBuilder builder(op);
  Type hiddenType = RankedTensorType::get({ShapedType::kDynamic, cast<RankedTensorType>(op.getGate().getType()).getDimSize(0)},
                                          builder.getF32Type());
  Value hidden = GateUpOp::create(builder, op.getLoc(), hiddenType, op.getInput(), op.getGate(), op.getUp(), op.getActivation(),
                                  op.getCompute());
  Value result =
      LinearOp::create(builder, op.getLoc(), op.getType(), hidden, op.getDown(), Value(), op.getResidual(), op.getCompute());
  op->replaceAllUsesWith(ValueRange{result});
  op->erase();
}

struct StageProducts : lowering::impl::StageProductsBase<StageProducts> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    for (Operation &op : llvm::make_early_inc_range(getOperation().getBody().front()))
      TypeSwitch<Operation *>(&op)
          .Case<FusedExpertsOp, ExpertsOp, GatedMLPOp>([](auto op) { stage(op); })
          .Default([](Operation *op) {
            if (isRowwise(op))
              groupAlone(op);
          });
  }
};

} // namespace
