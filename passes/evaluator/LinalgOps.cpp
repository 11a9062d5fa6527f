// Evaluation of linalg ops, all by what they have in common: loops over indexing maps around a region.
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "passes/evaluator/ElementProgram.h"

using namespace mlir;
using namespace moec::evaluator;

namespace {
/// Walks over the elements of one operand.
class Cursor {
public:
  Cursor(AffineMap map, const Tensor &tensor) : map(map), shape(tensor.shape) {}

  /// Where the element for the loops' `place` is; nothing when that is outside of the operand.
  std::optional<size_t> at(ArrayRef<int64_t> place) const {
    size_t offset = 0;
    for (auto [expression, dim] : llvm::zip(map.getResults(), shape)) {
      int64_t index = valueOf(expression, place);
      if (index < 0 || index >= dim)
        return std::nullopt;
      offset = offset * size_t(dim) + size_t(index);
    }
    return offset;
  }

private:
  static int64_t valueOf(AffineExpr expression, ArrayRef<int64_t> place) {
    if (auto dim = dyn_cast<AffineDimExpr>(expression))
      return place[dim.getPosition()];
    if (auto constant = dyn_cast<AffineConstantExpr>(expression))
      return constant.getValue();
    auto binary = cast<AffineBinaryOpExpr>(expression);
    int64_t a = valueOf(binary.getLHS(), place), b = valueOf(binary.getRHS(), place);
    switch (binary.getKind()) {
    case AffineExprKind::Add:
      return a + b;
    case AffineExprKind::Mul:
      return a * b;
    case AffineExprKind::Mod:
      return llvm::mod(a, b);
    case AffineExprKind::FloorDiv:
      return llvm::divideFloorSigned(a, b);
    default:
      return llvm::divideCeilSigned(a, b);
    }
  }

  AffineMap map;
  ArrayRef<int64_t> shape;
};
} // namespace

LogicalResult moec::evaluator::evaluateLinalg(Operation *operation, Frame &frame) {
  auto op = cast<linalg::LinalgOp>(operation);
  SmallVector<int64_t> sizes;
  std::vector<Tensor> results;
  std::vector<Cursor> cursors;
  for (OpOperand &operand : op->getOpOperands()) {
    const Tensor &tensor = frame[operand.get()];
    llvm::append_range(sizes, tensor.shape);
    cursors.emplace_back(op.getMatchingIndexingMap(&operand), tensor);
    if (op.isDpsInit(&operand))
      results.push_back(tensor);
  }
  AffineMap toLoops = op.getShapesToLoopsMap();
  if (!toLoops)
    return op.emitError() << "expected operands whose shapes say how far the loops go";
  SmallVector<int64_t> loops = toLoops.compose(sizes);
  auto program = ElementProgram::make(*op.getBlock(), frame);
  if (failed(program))
    return failure();

  SmallVector<double> arguments(op->getNumOperands());
  SmallVector<size_t> offsets(op->getNumOperands());
  size_t inputs = size_t(op.getNumDpsInputs());
  LogicalResult status = success();
  forEachPlace(loops, [&](std::span<const int64_t> place) {
    for (size_t i = 0; i < cursors.size(); ++i) {
      std::optional<size_t> offset = cursors[i].at(ArrayRef(place.data(), place.size()));
      if (!offset) {
        status = op.emitError() << "operand " << i << " of shape " << ArrayRef(frame[op->getOperand(unsigned(i))].shape)
                                << " is smaller than the others say";
        return false;
      }
      offsets[i] = *offset;
      arguments[i] = i < inputs ? frame[op->getOperand(unsigned(i))].elements[*offset] : results[i - inputs].elements[*offset];
    }
    auto yielded = program->run(arguments, ArrayRef(place.data(), place.size()));
    if (failed(yielded)) {
      status = failure();
      return false;
    }
    for (auto [i, number] : llvm::enumerate(*yielded))
      results[i].elements[offsets[inputs + i]] = number;
    return true;
  });
  for (auto [value, result] : llvm::zip(op->getResults(), results))
    frame.set(value, std::move(result));
  return status;
}
