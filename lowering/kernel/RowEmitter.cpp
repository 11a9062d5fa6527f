// Where the values of a row lie, and the row-wise ops.
#include "lowering/kernel/RowEmitter.h"

#include "lowering/kernel/Functions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;

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
  Pointer buffer = arguments.buffer(value);
  return isa<RankedTensorType>(value.getType()) && cast<RankedTensorType>(value.getType()).getRank() == 1
             ? buffer + row
             : buffer + row * moe::widthOf(value.getType());
}

Pointer RowEmitter::place(Value value) {
  for (auto [i, returned] : llvm::enumerate(arguments.kernel.getResults()))
    if (resolve(returned) == value)
      return places[value] = arguments.result(i) + row * moe::widthOf(value.getType());
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  return places[value] = allocate(element, moe::widthOf(value.getType()));
}

void RowEmitter::copy(Pointer source, Pointer destination, int64_t width) {
  forColumns(width, [&](Number column, int64_t lanes) { (destination + column).store((source + column).load(lanes)); });
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
  for (auto [i, returned] : llvm::enumerate(arguments.kernel.getResults())) {
    Value value = resolve(returned);
    auto found = places.find(value);
    bool written = found != places.end() && llvm::find_if(arguments.kernel.getResults(), [&](Value other) {
                                              return resolve(other) == value;
                                            }) == arguments.kernel.getResults().begin() + i;
    if (!written)
      copy(at(value), arguments.result(i) + row * moe::widthOf(value.getType()), moe::widthOf(value.getType()));
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
      .Case<moe::RMSNormOp, moe::LayerNormOp, moe::RopeOp, moe::ScaleByPositionOp, moe::AppendOp, moe::ActivateOp, moe::RouteOp,
            moe::StreamWeightsOp, moe::MergeStreamsOp, moe::MixStreamsOp>([&](auto known) {
        emit(known);
        return success();
      })
      .Default([&](Operation *other) { return emitElementwise(*other); });
}

void RowEmitter::emit(moe::RMSNormOp op) {
  int64_t total = moe::widthOf(op.getResult().getType());
  Weight weight = weightOf(op.getWeight());
  int64_t group = weight ? weight.width() : int64_t(*op.getGroup());
  Pointer input = at(op.getInput()), result = place(op.getResult());
  Pointer scale = weight ? weight.row(builder.integer(0)) : Pointer();
  forGroups(total / group, [&](Number index) {
    Number first = index * group, sum = sumOfSquares(input + first, group);
    Number mean = sum / sum.like(double(group));
    Number factor = builder.real(1) / squareRoot(mean + mean.like(op.getEpsilon().convertToDouble()));
    forColumns(group, [&](Number column, int64_t lanes) {
      Number y = (input + first + column).load(lanes) * factor.splat(lanes);
      if (weight)
        y = y * (scale + column).loadF32(lanes);
      (result + first + column).store(y);
    });
  });
}

void RowEmitter::emit(moe::LayerNormOp op) {
  Weight weight = weightOf(op.getWeight()), bias = weightOf(op.getBias());
  int64_t total = moe::widthOf(op.getType()), group = weight.width();
  Pointer scale = weight.row(builder.integer(0)), offset = bias ? bias.row(builder.integer(0)) : Pointer();
  Pointer rowInput = at(op.getInput()), rowResult = place(op.getResult());
  forGroups(total / group, [&](Number index) {
    Pointer input = rowInput + index * group, result = rowResult + index * group;
    Number mean = sumOf(input, group) / builder.real(double(group));
    forColumns(group,
               [&](Number column, int64_t lanes) { (result + column).store((input + column).load(lanes) - mean.splat(lanes)); });
    Number variance = sumOfSquares(result, group) / builder.real(double(group));
    Number factor = builder.real(1) / squareRoot(variance + builder.real(op.getEpsilon().convertToDouble()));
    forColumns(group, [&](Number column, int64_t lanes) {
      Number y = (result + column).load(lanes) * factor.splat(lanes), weight = (scale + column).loadF32(lanes);
      (result + column).store(bias ? fma(y, weight, (offset + column).loadF32(lanes)) : y * weight);
    });
  });
}

void RowEmitter::emit(moe::RopeOp op) {
  int64_t total = moe::widthOf(op.getResult().getType()), headDim = op.getHeadDim();
  moe::RotaryAttr rotary = op.getRotary();
  int64_t dims = rotary.getDims(), offset = rotary.getOffset(), pairs = dims / 2;
  Pointer input = at(op.getInput()), result = place(op.getResult());
  Number position = (arguments.batch(resolve(op.getBatch())).positions + row).load().toInteger(builder.i64);
  if (int64_t block = int64_t(op.getBlock()); block > 1)
    position = position - position % block;
  Pointer table = arguments.table(op, 0) + position * dims;
  Number scale;
  if (op.getPositionScale())
    scale = (arguments.table(op, 1) + position).load();
  auto scaled = [&](Number value) { return scale.builder ? value * scale : value; };
  bool interleaved = rotary.getLayout() == moe::RotaryLayout::Interleaved;

  if (result.value != input.value)
    forColumns(total, [&](Number column, int64_t lanes) {
      Number x = (input + column).load(lanes);
      (result + column).store(scale.builder ? x * scale.splat(lanes) : x);
    });
  forEach(total / headDim * pairs, [&](Number pair) {
    Number i = pair % pairs, start = pair / pairs * headDim + offset;
    Number first = start + (interleaved ? i * 2 : i), second = first + (interleaved ? 1 : pairs);
    Number x = (input + first).load(), y = (input + second).load();
    Number cosine = (table + i * 2).load(), sine = (table + i * 2 + 1).load();
    (result + first).store(scaled(x * cosine - y * sine));
    (result + second).store(scaled(y * cosine + x * sine));
  });
}

void RowEmitter::emit(moe::ScaleByPositionOp op) {
  Number position = (arguments.batch(resolve(op.getBatch())).positions + row).load().toInteger(builder.i64);
  Number scale = (arguments.table(op, 0) + position).load();
  Pointer input = at(op.getInput()), result = place(op.getResult());
  forColumns(moe::widthOf(op.getType()),
             [&](Number column, int64_t lanes) { (result + column).store((input + column).load(lanes) * scale.splat(lanes)); });
}

void RowEmitter::emit(moe::ActivateOp op) {
  Pointer gate = at(op.getGate()), up = at(op.getUp()), result = place(op.getResult());
  forColumns(moe::widthOf(op.getType()), [&](Number column, int64_t lanes) {
    (result + column).store(activate(op.getActivation(), (gate + column).load(lanes), (up + column).load(lanes)));
  });
}

void RowEmitter::emit(moe::RouteOp op) {
  Number token;
  if (op.getTokenIds())
    token = at(op.getTokenIds()).load().toInteger(builder.i64);
  Pointer logits = at(op.getLogits());
  Pointer ids = place(op.getIds());
  emitRoute(op, logits, weightOf(op.getBias()), weightOf(op.getTable()), token, ids, place(op.getWeights()));
}

void RowEmitter::emit(moe::AppendOp op) {
  Batch batch = arguments.batch(resolve(op.getBatch()));
  Number sequence = (batch.tokenSequence + row).load().toInteger(builder.i64),
         position = (batch.positions + row).load().toInteger(builder.i64);
  Cache cache = arguments.cache(op.getCacheAttr());
  auto write = [&] {
    Pointer destination = arguments.cacheRow(cache, batch, sequence, position);
    for (Value value : op.getValues()) {
      Pointer source = at(value);
      forColumns(moe::widthOf(value.getType()),
                 [&](Number column, int64_t lanes) { (destination + column).storeF32((source + column).load(lanes)); });
      destination = destination + moe::widthOf(value.getType());
    }
  };
  if (cache.block == 1)
    write();
  else
    builder.ifThen((position + 1) % cache.block == 0, write);
}

void RowEmitter::emit(moe::StreamWeightsOp op) {
  int64_t streams = int64_t(op.getStreams());
  Pointer input = at(op.getInput()), result = place(op.getResult()), mix = result + 2 * streams;
  Pointer scale = weightOf(op.getScale()).row(builder.integer(0)), base = weightOf(op.getBase()).row(builder.integer(0));
  Number epsilon = builder.real(op.getEpsilon().convertToDouble());
  auto logit = [&](int64_t part, Number column) {
    return fma((input + column).load(), (scale + part).loadF32(), (base + column).loadF32());
  };
  forEach(streams, [&](Number i) { (result + i).store(sigmoid(logit(0, i)) + epsilon); });
  if (!op.mixes())
    return;
  forEach(streams, [&](Number i) { (result + streams + i).store(sigmoid(logit(1, i + streams)) * builder.real(2)); });

  auto fold = [&](Pointer elements, int64_t distance, Number start, function_ref<Number(Number, Number)> combine) {
    return builder.forRange(builder.integer(0), builder.integer(streams), 1, {start}, [&](Number i, ArrayRef<Number> before) {
      return FunctionBuilder::Numbers{combine(before[0], (elements + i * distance).load())};
    })[0];
  };
  auto add = [](Number x, Number y) { return x + y; };
  auto divide = [&](Pointer elements, int64_t distance, Number divisor, Number addend) {
    builder.forRange(streams, [&](Number i) {
      Pointer element = elements + i * distance;
      element.store(element.load() / divisor + addend);
    });
  };
  /// Divides lines of the matrix by their sums: `line` from one line to the next, `distance` along it.
  auto normalize = [&](int64_t line, int64_t distance) {
    forEach(streams, [&](Number i) {
      Pointer elements = mix + i * line;
      divide(elements, distance, fold(elements, distance, builder.real(0), add) + epsilon, builder.real(0));
    });
  };
  forEach(streams, [&](Number i) {
    Pointer elements = mix + i * streams;
    Number first = i * streams + 2 * streams;
    builder.forRange(streams, [&](Number j) { (elements + j).store(logit(2, first + j)); });
    Number largest = fold(elements, 1, elements.load(), [](Number x, Number y) { return maximum(x, y); });
    builder.forRange(streams, [&](Number j) { (elements + j).store(exponential((elements + j).load() - largest)); });
    divide(elements, 1, fold(elements, 1, builder.real(0), add), epsilon);
  });
  normalize(1, streams);
  builder.forRange(int64_t(op.getIterations()) - 1, [&](Number) {
    normalize(streams, 1);
    normalize(1, streams);
  });
}

Number RowEmitter::addWeighted(Number sum, int64_t count, Pointer weights, int64_t distance, Pointer elements, int64_t stride,
                               int64_t lanes) {
  return builder.forRange(builder.integer(0), builder.integer(count), 1, {sum}, [&](Number i, ArrayRef<Number> before) {
    Number weight = (weights + i * distance).load().splat(lanes);
    return FunctionBuilder::Numbers{fma(weight, (elements + i * stride).load(lanes), before[0])};
  })[0];
}

void RowEmitter::emit(moe::MergeStreamsOp op) {
  int64_t width = moe::widthOf(op.getType()), streams = moe::widthOf(op.getStreams().getType()) / width;
  Pointer all = at(op.getStreams()), weights = at(op.getWeights()), result = place(op.getResult());
  forColumns(width, [&](Number column, int64_t lanes) {
    (result + column).store(addWeighted(builder.real(0).splat(lanes), streams, weights, 1, all + column, width, lanes));
  });
}

void RowEmitter::emit(moe::MixStreamsOp op) {
  int64_t width = moe::widthOf(op.getInput().getType()), streams = moe::widthOf(op.getType()) / width;
  Pointer input = at(op.getInput()), all = at(op.getStreams()), post = at(op.getWeights()) + streams, mix = post + streams;
  Pointer result = place(op.getResult());
  forColumns(width, [&](Number column, int64_t lanes) {
    Number added = (input + column).load(lanes);
    builder.forRange(streams, [&](Number j) {
      Number sum = (post + j).load().splat(lanes) * added;
      (result + j * width + column).store(addWeighted(sum, streams, mix + j, streams, all + column, width, lanes));
    });
  });
}

LogicalResult RowEmitter::emitElementwise(Operation &op) {
  if (!OpTrait::hasElementwiseMappableTraits(&op) || op.getNumResults() != 1 || !moe::isRows(op.getResult(0).getType()))
    return op.emitOpError("expected an op that a kernel can compute row by row");
  for (Value operand : op.getOperands())
    if (!moe::isRows(operand.getType()))
      return op.emitOpError("expected operands that are rows in a row-wise kernel, got ") << operand.getType();
  Pointer result = place(op.getResult(0));
  forColumns(moe::widthOf(op.getResult(0).getType()), [&](Number column, int64_t lanes) {
    SmallVector<Value> values;
    for (Value operand : op.getOperands())
      values.push_back((at(operand) + column).load(lanes));
    OperationState state(op.getLoc(), op.getName().getStringRef(), values, {values.front().getType()}, op.getAttrs());
    (result + column).store(builder.number(builder.create(state)->getResult(0)));
  });
  return success();
}
