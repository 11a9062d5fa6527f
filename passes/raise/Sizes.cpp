// Sizes of tensors, worked out for chosen sizes of a function's arguments.
#include "passes/raise/Sizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

int64_t passes::countOf(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    if (llvm::MulOverflow(count, size, count))
      return std::numeric_limits<int64_t>::max();
  return count;
}

std::optional<SmallVector<int64_t>> Sizes::shape(Value tensor) {
  SmallVector<int64_t> result;
  for (int64_t axis = 0; axis < cast<RankedTensorType>(tensor.getType()).getRank(); ++axis) {
    std::optional<int64_t> found = size(tensor, axis);
    if (!found)
      return std::nullopt;
    result.push_back(*found);
  }
  return result;
}

std::optional<int64_t> Sizes::size(Value tensor, int64_t axis) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || axis < 0 || axis >= type.getRank())
    return std::nullopt;
  if (!type.isDynamicDim(unsigned(axis)))
    return type.getDimSize(unsigned(axis));
  if (auto known = sizes.find({tensor, axis}); known != sizes.end())
    return known->second;
  if (depth == most)
    return std::nullopt;
  ++depth;
  std::optional<int64_t> found = find(tensor, axis);
  --depth;
  sizes[{tensor, axis}] = found;
  return found;
}

std::optional<int64_t> Sizes::number(OpFoldResult value) {
  if (auto attribute = dyn_cast<Attribute>(value))
    return cast<IntegerAttr>(attribute).getInt();
  return number(cast<Value>(value));
}

/// Which dimension of the source the result's `axis` is, where a slice drops some of size 1.
static int64_t sourceAxis(tensor::ExtractSliceOp slice, int64_t axis) {
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  for (int64_t source = 0;; ++source)
    if (!dropped[unsigned(source)] && axis-- == 0)
      return source;
}

/// Another argument's dimension that the function asserts to be the same, of an argument before.
static std::optional<std::pair<Value, int64_t>> assertedEqual(Value argument, int64_t axis) {
  for (Operation *user : argument.getUsers()) {
    auto dim = dyn_cast<tensor::DimOp>(user);
    if (!dim || dim.getConstantIndex() != axis)
      continue;
    for (Operation *reader : dim->getUsers()) {
      auto compare = dyn_cast<arith::CmpIOp>(reader);
      if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq ||
          !llvm::any_of(compare->getUsers(), llvm::IsaPred<cf::AssertOp>))
        continue;
      auto other = (compare.getLhs() == dim ? compare.getRhs() : compare.getLhs()).getDefiningOp<tensor::DimOp>();
      auto source = other ? dyn_cast<BlockArgument>(other.getSource()) : BlockArgument();
      if (source && other.getConstantIndex() && source.getArgNumber() < cast<BlockArgument>(argument).getArgNumber())
        return std::pair(Value(source), *other.getConstantIndex());
    }
  }
  return std::nullopt;
}

std::optional<int64_t> Sizes::find(Value tensor, int64_t axis) {
  if (isa<BlockArgument>(tensor)) {
    if (!tensor.getParentBlock()->isEntryBlock() || !isa<FunctionOpInterface>(tensor.getParentBlock()->getParentOp()))
      return std::nullopt;
    if (auto equal = assertedEqual(tensor, axis))
      return size(equal->first, equal->second);
    return choices[chosen++ % choices.size()];
  }
  Operation *op = tensor.getDefiningOp();
  unsigned result = cast<OpResult>(tensor).getResultNumber();
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return number(empty.getMixedSizes()[size_t(axis)]);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return number(expand.getMixedOutputShape()[size_t(axis)]);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return number(slice.getMixedSizes()[size_t(sourceAxis(slice, axis))]);
  if (auto reshape = dyn_cast<tensor::ReshapeOp>(op))
    return element(reshape.getShape(), axis);
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return number(splat.getDynamicSizes()[splat.getType().getDynamicDimIndex(unsigned(axis))]);
  if (auto generate = dyn_cast<tensor::GenerateOp>(op))
    return number(generate.getDynamicExtents()[generate.getType().getDynamicDimIndex(unsigned(axis))]);
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return size(cast.getSource(), axis);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    int64_t product = 1;
    SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
    for (int64_t source : groups[size_t(axis)]) {
      std::optional<int64_t> factor = size(collapse.getSrc(), source);
      if (!factor || llvm::MulOverflow(product, *factor, product))
        return std::nullopt;
    }
    return product;
  }
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    if (axis != int64_t(concat.getDim()))
      return size(concat.getInputs().front(), axis);
    int64_t sum = 0;
    for (Value input : concat.getInputs()) {
      std::optional<int64_t> part = size(input, axis);
      if (!part)
        return std::nullopt;
      sum += *part;
    }
    return sum;
  }
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    auto low = number(pad.getMixedLowPad()[size_t(axis)]), high = number(pad.getMixedHighPad()[size_t(axis)]);
    auto source = size(pad.getSource(), axis);
    return low && high && source ? std::optional(*low + *source + *high) : std::nullopt;
  }
  if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
    return size(destination.getTiedOpOperand(cast<OpResult>(tensor))->get(), axis);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return size(loop.getInitArgs()[result], axis);
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    std::optional<int64_t> isThen = number(branch.getCondition());
    std::optional<int64_t> then = size(branch.thenYield().getOperand(result), axis),
                           otherwise = size(branch.elseYield().getOperand(result), axis);
    if (isThen)
      return *isThen ? then : otherwise;
    return then == otherwise ? then : std::nullopt;
  }
  // Rows of a moe op, elements of arith: as many as those of the first operand that says it.
  for (Value operand : op->getOperands())
    if (auto type = dyn_cast<RankedTensorType>(operand.getType());
        type && axis < type.getRank() && type.isDynamicDim(unsigned(axis)))
      return size(operand, axis);
  return std::nullopt;
}

/// A truth is 1, not -1.
static int64_t valueOf(const APInt &integer) {
  return integer.getBitWidth() == 1 ? int64_t(integer.getZExtValue()) : integer.getSExtValue();
}

/// `op` where it computes with the only elements of tensors; null for any other.
static linalg::GenericOp singleComputation(Operation *op) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  return generic && generic.getNumLoops() == 0 ? generic : linalg::GenericOp();
}

std::optional<int64_t> Sizes::element(Value tensor, int64_t index) {
  DenseIntElementsAttr constant;
  if (matchPattern(tensor, m_Constant(&constant)))
    return index >= 0 && index < constant.getNumElements() ? std::optional(valueOf(*(constant.begin() + index))) : std::nullopt;
  if (auto elements = tensor.getDefiningOp<tensor::FromElementsOp>())
    return index >= 0 && index < int64_t(elements.getElements().size()) ? number(elements.getElements()[size_t(index)])
                                                                        : std::nullopt;
  if (linalg::GenericOp single = singleComputation(tensor.getDefiningOp()))
    return number(single.getBody()->getTerminator()->getOperand(cast<OpResult>(tensor).getResultNumber()));
  return std::nullopt;
}

std::optional<int64_t> Sizes::number(Value value) {
  if (auto known = numbers.find(value); known != numbers.end())
    return known->second;
  if (depth == most)
    return std::nullopt;
  ++depth;
  std::optional<int64_t> found = compute(value);
  --depth;
  numbers[value] = found;
  return found;
}

/// What an op of arith makes of integers `x`.
static std::optional<int64_t> integerOf(Operation *op, ArrayRef<int64_t> x) {
  using Answer = std::optional<int64_t>;
  int64_t result;
  return llvm::TypeSwitch<Operation *, Answer>(op)
      .Case<arith::AddIOp>([&](auto) { return llvm::AddOverflow(x[0], x[1], result) ? std::nullopt : Answer(result); })
      .Case<arith::SubIOp>([&](auto) { return llvm::SubOverflow(x[0], x[1], result) ? std::nullopt : Answer(result); })
      .Case<arith::MulIOp>([&](auto) { return llvm::MulOverflow(x[0], x[1], result) ? std::nullopt : Answer(result); })
      .Case<arith::DivSIOp, arith::DivUIOp>([&](auto) { return x[0] >= 0 && x[1] > 0 ? Answer(x[0] / x[1]) : std::nullopt; })
      .Case<arith::RemSIOp, arith::RemUIOp>([&](auto) { return x[0] >= 0 && x[1] > 0 ? Answer(x[0] % x[1]) : std::nullopt; })
      .Case<arith::MinSIOp, arith::MinUIOp>([&](auto) { return std::min(x[0], x[1]); })
      .Case<arith::MaxSIOp, arith::MaxUIOp>([&](auto) { return std::max(x[0], x[1]); })
      .Case<arith::AndIOp>([&](auto) { return x[0] & x[1]; })
      .Case<arith::OrIOp>([&](auto) { return x[0] | x[1]; })
      .Case<arith::XOrIOp>([&](auto) { return x[0] ^ x[1]; })
      .Case<arith::SelectOp>([&](auto) { return x[0] ? x[1] : x[2]; })
      .Case<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp, arith::ExtUIOp>([&](auto) { return x[0]; })
      .Case<arith::CmpIOp>([&](arith::CmpIOp compare) -> Answer {
        return arith::applyCmpPredicate(compare.getPredicate(), APInt(64, uint64_t(x[0])), APInt(64, uint64_t(x[1])));
      })
      .Default([](Operation *) { return std::nullopt; });
}

std::optional<int64_t> Sizes::compute(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return valueOf(constant);
  Operation *op = value.getDefiningOp();
  if (auto argument = dyn_cast<BlockArgument>(value))
    if (linalg::GenericOp single = singleComputation(argument.getOwner()->getParentOp()))
      return element(single->getOperand(argument.getArgNumber()), 0);
  if (!op || isa<RankedTensorType>(value.getType()))
    return op ? element(value, 0) : std::nullopt;
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> axis = number(dim.getIndex());
    return axis ? size(dim.getSource(), *axis) : std::nullopt;
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    if (extract.getIndices().empty())
      return element(extract.getTensor(), 0);
    std::optional<int64_t> index = extract.getIndices().size() == 1 ? number(extract.getIndices().front()) : std::nullopt;
    return index ? element(extract.getTensor(), *index) : std::nullopt;
  }
  SmallVector<int64_t> x;
  for (Value operand : op->getOperands()) {
    std::optional<int64_t> known = operand.getType().isIntOrIndex() ? number(operand) : std::nullopt;
    if (!known)
      return std::nullopt;
    x.push_back(*known);
  }
  return integerOf(op, x);
}
