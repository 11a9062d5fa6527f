// Checks of what only a run can know: that shapes agree and indices are within their tensors.
#include "lowering/function/RuntimeChecks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/RuntimeVerifiableOpInterface.h"

using namespace mlir;

/// The name of the node of a graph that `op` comes from, or the op's own.
static std::string nameOf(Operation *op) {
  if (auto name = op->getLoc()->findInstanceOf<NameLoc>())
    return name.getName().str();
  return op->getName().getStringRef().str();
}

static std::string message(Operation *op, StringRef text) { return nameOf(op) + ": " + text.str(); }

/// That a reshape has as many elements as its source.
static void checkReshape(tensor::ReshapeOp op) {
  ImplicitLocOpBuilder builder(op.getLoc(), op);
  auto multiply = [&](Value a, Value b) { return builder.createOrFold<arith::MulIOp>(a, b); };
  Value expected = arith::ConstantIndexOp::create(builder, 1), got = expected, fits;
  for (int64_t dim = 0; dim < cast<RankedTensorType>(op.getSource().getType()).getRank(); ++dim)
    expected = multiply(expected, builder.createOrFold<tensor::DimOp>(op.getSource(), dim));
  fits = arith::ConstantIntOp::create(builder, builder.getI1Type(), 1);
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  for (int64_t dim = 0; dim < cast<RankedTensorType>(op.getType()).getRank(); ++dim) {
    Value size = tensor::ExtractOp::create(builder, op.getShape(), ValueRange(arith::ConstantIndexOp::create(builder, dim)));
    if (!size.getType().isIndex())
      size = arith::IndexCastOp::create(builder, builder.getIndexType(), size);
    Value positive = builder.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::sge, size, zero);
    fits = builder.createOrFold<arith::AndIOp>(fits, positive);
    got = multiply(got, size);
  }
  Value same = builder.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, expected, got);
  fits = builder.createOrFold<arith::AndIOp>(fits, same);
  cf::AssertOp::create(builder, fits, message(op, "expected a shape of as many elements as the tensor has"));
}

/// That the dimensions that one becomes have its size in all.
static void checkExpandShape(tensor::ExpandShapeOp op) {
  ImplicitLocOpBuilder builder(op.getLoc(), op);
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices())) {
    if (llvm::all_of(group, [&](int64_t index) { return !op.getResultType().isDynamicDim(unsigned(index)); }))
      continue;
    Value expected = builder.createOrFold<tensor::DimOp>(op.getSrc(), int64_t(dim)),
          got = arith::ConstantIndexOp::create(builder, 1);
    Value fits = arith::ConstantIntOp::create(builder, builder.getI1Type(), 1), zero = arith::ConstantIndexOp::create(builder, 0);
    for (int64_t index : group) {
      Value size = getValueOrCreateConstantIndexOp(builder, op.getLoc(), sizes[size_t(index)]);
      Value positive = builder.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::sge, size, zero);
      fits = builder.createOrFold<arith::AndIOp>(fits, positive);
      got = builder.createOrFold<arith::MulIOp>(got, size);
    }
    Value same = builder.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, expected, got);
    fits = builder.createOrFold<arith::AndIOp>(fits, same);
    cf::AssertOp::create(builder, fits, message(op, "expected dimensions of as many elements as the tensor has"));
  }
}

void moec::lowering::addRuntimeChecks(ModuleOp module) {
  SmallVector<Operation *> ops;
  module.walk([&](Operation *op) {
    if (isa<RuntimeVerifiableOpInterface, tensor::ReshapeOp, tensor::ExpandShapeOp>(op))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    if (auto reshape = dyn_cast<tensor::ReshapeOp>(op)) {
      checkReshape(reshape);
      continue;
    }
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
      checkExpandShape(expand);
      continue;
    }
    OpBuilder builder(op);
    cast<RuntimeVerifiableOpInterface>(op).generateRuntimeVerification(builder, op->getLoc(), message);
  }
}
