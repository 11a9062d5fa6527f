// Evaluation of linalg ops, all by what they have in common: loops over indexing maps around a region.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "passes/evaluator/ElementProgram.h"

using namespace mlir;
using namespace moec::evaluator;

namespace {
/// Where the elements of one operand are, loop by loop.
class Cursor {
public:
  Cursor(AffineMap map, const Tensor &tensor) : map(map), shape(tensor.shape) {
    // A step of a loop goes as far as the steps of the dimensions that follow it, unless an index is computed from several.
    int64_t stride = 1;
    strides.assign(map.getNumDims(), 0);
    for (size_t i = shape.size(); i-- > 0; stride *= shape[i])
      if (auto dim = dyn_cast<AffineDimExpr>(map.getResult(unsigned(i)))) {
        strides[dim.getPosition()] += stride;
        extents.push_back({dim.getPosition(), shape[i]});
      } else if (auto constant = dyn_cast<AffineConstantExpr>(map.getResult(unsigned(i)));
                 constant && constant.getValue() == 0 && shape[i]) {
        continue;
      } else {
        isSteady = false;
      }
  }

  /// Whether offsets are sums of loops' steps, within the operand wherever `loops` go.
  bool isSteadyWithin(ArrayRef<int64_t> loops) const {
    return isSteady && llvm::all_of(extents, [&](auto extent) { return loops[extent.first] <= extent.second; });
  }
  int64_t strideOf(size_t loop) const { return strides[loop]; }

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
  SmallVector<int64_t, 4> strides;                      ///< by loop
  SmallVector<std::pair<unsigned, int64_t>, 4> extents; ///< loops, and how far the dimensions that follow them go
  bool isSteady = true;
};

/// Counts through loops, the last fastest, and keeps offsets that go in steps.
class Odometer {
public:
  Odometer(ArrayRef<int64_t> loops, ArrayRef<Cursor> cursors)
      : place(loops.size(), 0), offsets(cursors.size(), 0), loops(loops), cursors(cursors) {}

  /// To the next place; false behind the last.
  bool advance() {
    for (size_t loop = loops.size(); loop-- > 0;) {
      bool turnsOver = ++place[loop] == loops[loop];
      int64_t steps = turnsOver ? 1 - loops[loop] : 1;
      for (size_t i = 0; i < cursors.size(); ++i)
        offsets[i] += steps * cursors[i].strideOf(loop);
      if (!turnsOver)
        return true;
      place[loop] = 0;
    }
    return false;
  }

  SmallVector<int64_t> place, offsets;

private:
  ArrayRef<int64_t> loops;
  ArrayRef<Cursor> cursors;
};

/// Whether `op` adds the product of two operands to its result, and nothing else.
bool isSumOfProducts(linalg::LinalgOp op) {
  Block &body = *op.getBlock();
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || std::distance(body.begin(), body.end()) != 3)
    return false;
  auto product = dyn_cast<arith::MulFOp>(body.front());
  auto sum = dyn_cast<arith::AddFOp>(*std::next(body.begin()));
  if (!product || !sum || body.getTerminator()->getOperand(0) != sum)
    return false;
  ValueRange factors = product.getOperands(), terms = sum.getOperands();
  Value a = body.getArgument(0), b = body.getArgument(1), result = body.getArgument(2);
  return ((factors[0] == a && factors[1] == b) || (factors[0] == b && factors[1] == a)) &&
         ((terms[0] == result && terms[1] == product) || (terms[1] == result && terms[0] == product));
}
} // namespace

LogicalResult moec::evaluator::evaluateLinalg(Operation *operation, Frame &frame) {
  auto op = cast<linalg::LinalgOp>(operation);
  SmallVector<int64_t> sizes;
  std::vector<Tensor> results;
  results.reserve(size_t(op.getNumDpsInits()));
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
  bool isEmpty = llvm::is_contained(loops, 0);
  bool isSteady = llvm::all_of(cursors, [&](const Cursor &cursor) { return cursor.isSteadyWithin(loops); });
  auto give = [&] {
    for (auto [value, result] : llvm::zip(op->getResults(), results))
      frame.set(value, std::move(result));
    return success();
  };
  if (isEmpty)
    return give();
  uint64_t steps = 1;
  for (int64_t loop : loops)
    steps = llvm::SaturatingMultiply(steps, uint64_t(loop));
  // Most of what is ever evaluated.
  if (isSteady && isSumOfProducts(op)) {
    if (failed(frame.spend(op, steps / 8))) // which are that much faster than others
      return failure();
    const double *a = frame[op->getOperand(0)].elements.data(), *b = frame[op->getOperand(1)].elements.data();
    double *sums = results.front().elements.data();
    Odometer odometer(loops, cursors);
    do
      sums[odometer.offsets[2]] += a[odometer.offsets[0]] * b[odometer.offsets[1]];
    while (odometer.advance());
    return give();
  }

  auto program = ElementProgram::make(*op.getBlock(), frame);
  if (failed(program) || failed(frame.spend(op, steps)))
    return failure();
  SmallVector<double> arguments(op->getNumOperands());
  SmallVector<const double *> elements;
  for (Value operand : op->getOperands())
    elements.push_back(frame[operand].elements.data());
  size_t inputs = size_t(op.getNumDpsInputs());
  for (size_t i = 0; i < results.size(); ++i)
    elements[inputs + i] = results[i].elements.data();
  Odometer odometer(loops, cursors);
  do {
    for (size_t i = 0; i < cursors.size(); ++i) {
      if (!isSteady) {
        std::optional<size_t> offset = cursors[i].at(odometer.place);
        if (!offset)
          return op.emitError() << "operand " << i << " of shape " << ArrayRef(frame[op->getOperand(unsigned(i))].shape)
                                << " is smaller than the others say";
        odometer.offsets[i] = int64_t(*offset);
      }
      arguments[i] = elements[i][odometer.offsets[i]];
    }
    auto yielded = program->run(arguments, odometer.place);
    if (failed(yielded))
      return failure();
    for (auto [i, number] : llvm::enumerate(*yielded))
      results[i].elements[size_t(odometer.offsets[inputs + i])] = number;
  } while (odometer.advance());
  return give();
}
