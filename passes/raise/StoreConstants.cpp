// Turns constants that moe ops and products read into references to the bytes that they were read from.
#include "passes/raise/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/SymbolTable.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_STORECONSTANTS
#include "passes/raise/Passes.h.inc"

namespace {

/// Whether what a moe op reads there is a weight: not what attention or an angle is computed of, nor rows or ids.
bool isWeightOfOp(OpOperand &use) {
  Value value = use.get();
  return llvm::TypeSwitch<Operation *, bool>(use.getOwner())
      .Case<AttentionOp>([&](AttentionOp op) { return value == op.getSinks(); })
      .Case<LatentAttentionOp, AbsorbedAttentionOp>([&](auto op) { return value == op.getKeyUp() || value == op.getValueUp(); })
      .Case<RopeOp>([](RopeOp) { return false; })
      .Case<EmbedOp>([&](EmbedOp op) { return value == op.getTable(); })
      // Rows have a dynamic number: what has a known one is a weight.
      .Default([](Operation *op) { return isa<MoEDialect>(op->getDialect()); });
}

/// Whether an op reads it as a weight, as it is or turned, cut or stacked.
bool isWeightOf(OpOperand &first) {
  constexpr size_t most = 256; // ops that are looked behind
  SmallVector<OpOperand *> pending{&first};
  DenseSet<Operation *> met;
  while (!pending.empty() && met.size() < most) {
    OpOperand &use = *pending.pop_back_val();
    Operation *op = use.getOwner();
    if (isWeightOfOp(use) || (isa<linalg::MatmulOp>(op) && use.getOperandNumber() == 1))
      return true;
    if (isa<linalg::TransposeOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp, tensor::ConcatOp>(op) &&
        met.insert(op).second)
      for (OpOperand &next : op->getResult(0).getUses())
        pending.push_back(&next);
  }
  return false;
}

struct StoreConstants : impl::StoreConstantsBase<StoreConstants> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<arith::ConstantOp> constants;
    getOperation().walk([&](arith::ConstantOp constant) {
      if (constant->hasAttr("moe.stored"))
        constants.push_back(constant);
    });
    DenseMap<std::pair<Attribute, Type>, WeightOp> declared;
    for (arith::ConstantOp constant : constants) {
      auto slice = constant->getAttrOfType<SliceAttr>("moe.stored");
      if (!slice || !isWeight(constant.getType()) || !isa<FloatType>(getElementTypeOrSelf(constant.getType())) ||
          llvm::none_of(constant->getUses(), isWeightOf))
        continue;
      WeightOp &weight = declared[{slice, constant.getType()}];
      if (!weight) {
        OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
        builder.setInsertionPoint(getOperation().getBody(), llvm::find_if_not(*getOperation().getBody(), llvm::IsaPred<WeightOp>));
        auto location = NameLoc::get(builder.getStringAttr(slice.getTensor()));
        weight =
            WeightOp::create(builder, location, slice.getTensor(), TypeAttr::get(constant.getType()), builder.getArrayAttr(slice));
        if (Attribute stored = constant->getAttr("moe.stored_as"))
          weight->setAttr("moe.stored_as", stored);
        symbols.insert(weight, builder.getInsertionPoint());
      }
      OpBuilder builder(constant);
      Value stored = GetWeightOp::create(builder, constant.getLoc(), constant.getType(), weight.getSymName());
      constant->getResult(0).replaceUsesWithIf(stored, isWeightOf);
      if (constant->use_empty())
        constant->erase();
    }
  }
};

} // namespace
} // namespace moec::passes
