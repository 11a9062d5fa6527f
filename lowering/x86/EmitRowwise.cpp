// Row-wise ops: one item is one row, which passes through all ops of the group while it is in the cache.
#include "lowering/kernel/Functions.h"
#include "lowering/x86/Emit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

namespace {

/// Emits the ops of a group for one row.
class RowEmitter {
public:
  RowEmitter(KernelFrame &frame, Number row) : frame(frame), b(frame.b), row(row) {}

  LogicalResult emit(Block &body);

private:
  LogicalResult emit(Operation &op);
  void emit(moe::RMSNormOp op);
  void emit(moe::RopeOp op);
  void emit(moe::AppendOp op);
  LogicalResult emitElementwise(Operation &op);

  /// The value outside all groups that `value` is.
  Value resolve(Value value);
  Weight weightOf(Value value) { return value ? frame.weight(resolve(value)) : Weight(); }
  /// Where the row of `value` lies.
  Pointer at(Value value);
  /// Where `value` is to be written: the result's row if the kernel returns it, else scratch memory.
  Pointer place(Value value);
  void copy(Pointer source, Pointer destination, int64_t width);
  static int64_t width(Value value) { return moe::widthOf(value.getType()); }

  KernelFrame &frame;
  KernelBuilder &b;
  Number row;
  IRMapping outer; ///< arguments of a moe.rowwise to the kernel's values, its results to what it yields
  DenseMap<Value, Pointer> places;
};

} // namespace

Value RowEmitter::resolve(Value value) {
  while (Value next = outer.lookupOrNull(value))
    value = next;
  return value;
}

Pointer RowEmitter::at(Value value) {
  value = resolve(value);
  if (auto columns = value.getDefiningOp<moe::ColumnsOp>())
    return at(columns.getInput()) + int64_t(columns.getOffset());
  if (auto found = places.find(value); found != places.end())
    return found->second;
  Pointer buffer = frame.buffer(value);
  return isa<RankedTensorType>(value.getType()) && cast<RankedTensorType>(value.getType()).getRank() == 1
             ? buffer + row
             : buffer + row * width(value);
}

Pointer RowEmitter::place(Value value) {
  for (auto [i, returned] : llvm::enumerate(frame.kernel.getResults()))
    if (resolve(returned) == value)
      return places[value] = frame.result(i) + row * width(value);
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  return places[value] = frame.allocate(element, width(value));
}

void RowEmitter::copy(Pointer source, Pointer destination, int64_t width) {
  b.forColumns(width, [&](Number column, int64_t lanes) { (destination + column).store((source + column).load(lanes)); });
}

LogicalResult RowEmitter::emit(Block &body) {
  // What a group yields is known before its ops are emitted, so that they write straight into the kernel's results.
  for (auto group : body.getOps<moe::RowwiseOp>()) {
    Block &inner = group.getBody().front();
    outer.map(inner.getArguments(), group.getInputs());
    outer.map(group.getResults(), cast<moe::YieldOp>(inner.getTerminator()).getValues());
  }
  for (Operation &op : body)
    if (failed(emit(op)))
      return failure();
  // Results that no op wrote: arguments, slices of rows, values returned twice.
  for (auto [i, returned] : llvm::enumerate(frame.kernel.getResults())) {
    Value value = resolve(returned);
    auto found = places.find(value);
    bool written = found != places.end() && llvm::find_if(frame.kernel.getResults(), [&](Value other) {
                                              return resolve(other) == value;
                                            }) == frame.kernel.getResults().begin() + i;
    if (!written)
      copy(at(value), frame.result(i) + row * width(value), width(value));
  }
  return success();
}

LogicalResult RowEmitter::emit(Operation &op) {
  return TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<moe::CacheOp, moe::ColumnsOp, moe::YieldOp, plan::ReturnOp>([](auto) { return success(); })
      .Case([&](moe::RowwiseOp group) {
        for (Operation &inner : group.getBody().front())
          if (failed(emit(inner)))
            return failure();
        return success();
      })
      .Case<moe::RMSNormOp, moe::RopeOp, moe::AppendOp>([&](auto known) {
        emit(known);
        return success();
      })
      .Case([&](moe::ActivateOp activation) {
        Pointer gate = at(activation.getGate()), up = at(activation.getUp()), result = place(activation.getResult());
        b.forColumns(width(activation.getResult()), [&](Number column, int64_t lanes) {
          (result + column).store(activate(activation.getActivation(), (gate + column).load(lanes), (up + column).load(lanes)));
        });
        return success();
      })
      .Case([&](moe::RouteOp route) {
        Number token;
        if (route.getTokenIds())
          token = at(route.getTokenIds()).load().toInteger(b.i64);
        Pointer logits = at(route.getLogits());
        Pointer ids = place(route.getIds());
        emitRoute(frame, route, logits, weightOf(route.getBias()), weightOf(route.getTable()), token, ids,
                  place(route.getWeights()));
        return success();
      })
      .Default([&](Operation *other) { return emitElementwise(*other); });
}

void RowEmitter::emit(moe::RMSNormOp op) {
  int64_t total = width(op.getResult());
  Weight weight = weightOf(op.getWeight());
  int64_t group = weight ? weight.width() : int64_t(*op.getGroup());
  Pointer input = at(op.getInput()), result = place(op.getResult());
  Pointer scale = weight ? weight.row(b.integer(0)) : Pointer();
  b.forRange(b.integer(0), b.integer(total), group, [&](Number first) {
    Pointer source = input + first, destination = result + first;
    int64_t whole = group / b.lanes * b.lanes;
    Number sum = b.real(0);
    if (whole)
      sum =
          b.sumOfLanes(b.forRange(b.integer(0), b.integer(whole), b.lanes, {b.zero(b.lanes)}, [&](Number i, ArrayRef<Number> sums) {
            Number x = (source + i).load(b.lanes);
            return KernelBuilder::Numbers{fma(x, x, sums[0])};
          })[0]);
    if (whole < group)
      sum = b.forRange(b.integer(whole), b.integer(group), 1, {sum}, [&](Number i, ArrayRef<Number> sums) {
        Number x = (source + i).load();
        return KernelBuilder::Numbers{fma(x, x, sums[0])};
      })[0];
    Number mean = sum / sum.like(double(group));
    Number factor = b.real(1) / squareRoot(mean + mean.like(op.getEpsilon().convertToDouble()));
    b.forColumns(group, [&](Number column, int64_t lanes) {
      Number y = (source + column).load(lanes) * factor.splat(lanes);
      if (weight)
        y = y * (scale + column).loadF32(lanes);
      (destination + column).store(y);
    });
  });
}

void RowEmitter::emit(moe::RopeOp op) {
  int64_t total = width(op.getResult()), headDim = op.getHeadDim();
  moe::RotaryAttr rotary = op.getRotary();
  int64_t dims = rotary.getDims(), offset = rotary.getOffset(), pairs = dims / 2;
  Pointer input = at(op.getInput()), result = place(op.getResult());
  Number position = (frame.batch(resolve(op.getBatch())).positions + row).load().toInteger(b.i64);
  Pointer table = frame.rotaryTable(op) + position * dims;
  Number scale;
  if (op.getPositionScale())
    scale = (frame.positionScaleTable(op) + position).load();
  auto scaled = [&](Number value) { return scale.builder ? value * scale : value; };
  bool interleaved = rotary.getLayout() == moe::RotaryLayout::Interleaved;

  if (result.value != input.value)
    b.forColumns(total, [&](Number column, int64_t lanes) {
      Number x = (input + column).load(lanes);
      (result + column).store(scale.builder ? x * scale.splat(lanes) : x);
    });
  b.forRange(b.integer(0), b.integer(total), headDim, [&](Number head) {
    Pointer source = input + head + offset, destination = result + head + offset;
    b.forRange(pairs, [&](Number i) {
      Number first = interleaved ? i * 2 : i, second = first + (interleaved ? 1 : pairs);
      Number x = (source + first).load(), y = (source + second).load();
      Number cosine = (table + i * 2).load(), sine = (table + i * 2 + 1).load();
      (destination + first).store(scaled(x * cosine - y * sine));
      (destination + second).store(scaled(y * cosine + x * sine));
    });
  });
}

void RowEmitter::emit(moe::AppendOp op) {
  Batch batch = frame.batch(resolve(op.getBatch()));
  Number sequence = (batch.tokenSequence + row).load().toInteger(b.i64), position = (batch.positions + row).load().toInteger(b.i64);
  Pointer destination = frame.cacheRow(frame.cache(op.getCacheAttr()), batch, sequence, position);
  for (Value value : op.getValues()) {
    Pointer source = at(value);
    b.forColumns(width(value),
                 [&](Number column, int64_t lanes) { (destination + column).storeF32((source + column).load(lanes)); });
    destination = destination + width(value);
  }
}

LogicalResult RowEmitter::emitElementwise(Operation &op) {
  if (!OpTrait::hasElementwiseMappableTraits(&op) || op.getNumResults() != 1 || !moe::isRows(op.getResult(0).getType()))
    return op.emitOpError("expected an op that an x86 kernel can compute row by row");
  for (Value operand : op.getOperands())
    if (!moe::isRows(operand.getType()))
      return op.emitOpError("expected operands that are rows in an x86 kernel, got ") << operand.getType();
  Pointer result = place(op.getResult(0));
  b.forColumns(width(op.getResult(0)), [&](Number column, int64_t lanes) {
    SmallVector<Value> values;
    for (Value operand : op.getOperands())
      values.push_back((at(operand) + column).load(lanes));
    OperationState state(op.getLoc(), op.getName().getStringRef(), values, {values.front().getType()}, op.getAttrs());
    (result + column).store(b.number(b.create(state)->getResult(0)));
  });
  return success();
}

LogicalResult moec::lowering::x86::emitRowwise(KernelFrame &frame) {
  LogicalResult outcome = success();
  frame.b.forRange(frame.begin, frame.end, 1,
                   [&](Number row) { outcome = RowEmitter(frame, row).emit(frame.kernel.getBody().front()); });
  return outcome;
}
