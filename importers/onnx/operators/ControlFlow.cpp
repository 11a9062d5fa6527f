// If, Loop and Scan as scf.
#include "importers/onnx/Operators.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

using Tensors = SmallVector<Tensor, 2>;

/// What a value that different ways lead to has in common: sizes that differ are not known.
FailureOr<RankedTensorType> commonType(Call &call, const Tensor &a, const Tensor &b) {
  if (a.type != b.type || a.rank() != b.rank())
    return call.refuse("If and loops: expected values of one type and rank, got " + nameOf(a.type) + " " + spelled(a.shape) +
                       " and " + nameOf(b.type) + " " + spelled(b.shape));
  SmallVector<int64_t> dims;
  for (auto [x, y] : llvm::zip(a.shape, b.shape))
    dims.push_back(x.dim() == y.dim() ? x.dim() : ShapedType::kDynamic);
  return RankedTensorType::get(dims, call.e.elementType(a.type));
}

Value castTo(Emitter &e, Value value, RankedTensorType type) {
  return value.getType() == type ? value : Value(tensor::CastOp::create(e.b, type, value));
}

Value scalarOf(Emitter &e, const Tensor &tensor) {
  return tensor::ExtractOp::create(e.b, e.value(e.reshape(tensor, {})), ValueRange{});
}

bool isScalar(const Tensor &tensor, DataType type) { return tensor.type == type && tensor.isStatic() && tensor.count() == 1; }

/// Builds a graph in a block of its own, whose results are then given to `finish` there.
LogicalResult buildIn(Call &call, Block &block, const Graph &graph, ArrayRef<Tensor> arguments,
                      llvm::function_ref<LogicalResult(Tensors &)> finish) {
  OpBuilder::InsertionGuard guard(call.e.b);
  Extents::Region region(call.e.extents);
  Location location = call.e.b.getLoc();
  call.e.b.setInsertionPointToEnd(&block);
  FailureOr<Tensors> results = call.build(graph, arguments);
  call.e.b.setLoc(location);
  return failed(results) ? failure() : finish(*results);
}

//===- If -------------------------------------------------------------------------------------------------------------------===//

LogicalResult conditional(Call &call) {
  Emitter &e = call.e;
  const Tensor &condition = call.in(0);
  const Graph *branches[] = {call.graph("then_branch"), call.graph("else_branch")};
  if (!branches[0] || !branches[1])
    return failure();
  if (branches[0]->outputs.size() != branches[1]->outputs.size() || branches[0]->outputs.size() < call.outputCount())
    return call.refuse("If: expected branches of as many outputs as the node's " + Twine(call.outputCount()) + ", got " +
                       Twine(branches[0]->outputs.size()) + " and " + Twine(branches[1]->outputs.size()));
  if (!isScalar(condition, DataType::Bool))
    return call.refuse("condition: expected one bool, got " + nameOf(condition.type) + " " + spelled(condition.shape));
  if (condition.elements && condition.elements->front().isConstant()) {
    FailureOr<Tensors> results = call.build(*branches[condition.elements->front().is(0) ? 1 : 0], {});
    if (failed(results))
      return failure();
    for (auto [index, result] : llvm::enumerate(*results))
      call.give(index, result);
    return success();
  }
  Value flag = scalarOf(e, condition);
  // The types of the results are known when both branches are built.
  Region regions[2];
  Tensors results[2];
  SmallVector<Value> values[2];
  for (size_t way : {0, 1}) {
    Block &block = regions[way].emplaceBlock();
    // Nothing may be looked for beyond the block while it stands alone.
    if (failed(buildIn(call, block, *branches[way], {}, [&](Tensors &built) {
          results[way] = built;
          for (const Tensor &result : built)
            values[way].push_back(e.value(result));
          return success();
        })))
      return failure();
  }
  SmallVector<Type> types;
  for (auto [a, b] : llvm::zip(results[0], results[1])) {
    FailureOr<RankedTensorType> type = commonType(call, a, b);
    if (failed(type))
      return failure();
    types.push_back(*type);
  }
  auto branch = scf::IfOp::create(e.b, types, flag, /*addThenBlock=*/false, /*addElseBlock=*/false);
  for (size_t way : {0, 1}) {
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToEnd(&regions[way].front());
    for (auto [value, type] : llvm::zip(values[way], types))
      value = castTo(e, value, cast<RankedTensorType>(type));
    scf::YieldOp::create(e.b, values[way]);
    (way ? branch.getElseRegion() : branch.getThenRegion()).takeBody(regions[way]);
  }
  for (auto [index, value] : llvm::enumerate(branch.getResults()))
    call.give(index, e.fromValue(value, results[0][index].type));
  return success();
}

//===- Loops ----------------------------------------------------------------------------------------------------------------===//

/// What one turn of a loop makes: the values that go round, an entry for each collected output, and whether there is a next turn.
struct Turn {
  Tensors carried, entries;
  Value goesOn; ///< i1; null when that depends on the count alone
};
using TurnFunction = llvm::function_ref<FailureOr<Turn>(Value index, Value goesOn, ArrayRef<Tensor> carried)>;

/// `collected` with one more entry at its end.
Value appended(Emitter &e, Value collected, const Tensor &entry, Value count) {
  auto type = cast<RankedTensorType>(collected.getType());
  Value one = e.extents.value(1);
  Shape sizes = {e.extents.of(arith::AddIOp::create(e.b, count, one), true)};
  sizes.append(entry.shape.begin(), entry.shape.end());
  Value larger = tensor::EmptyOp::create(e.b, type, e.extents.dynamicSizes(sizes));
  SmallVector<OpFoldResult> ones(sizes.size(), e.b.getIndexAttr(1)), offsets(sizes.size(), e.b.getIndexAttr(0)),
      extents = e.extents.sizes(sizes);
  extents[0] = count;
  larger = tensor::InsertSliceOp::create(e.b, collected, larger, offsets, extents, ones);
  extents[0] = e.b.getIndexAttr(1);
  offsets[0] = count;
  return tensor::InsertSliceOp::create(e.b, e.value(entry), larger, offsets, extents, ones);
}

/// Turns until `count` (null: no bound) of them are over or one says so; answers what was carried, then what was collected.
FailureOr<Tensors> runLoop(Call &call, Value count, Value goesOn, Tensors carried, TurnFunction turn) {
  Emitter &e = call.e;
  Region region;
  SmallVector<Type> types = {e.b.getIndexType(), e.b.getI1Type()};
  SmallVector<Value> begin = {e.extents.value(0), goesOn ? goesOn : Value(arith::ConstantIntOp::create(e.b, 1, 1))};
  size_t states = carried.size();
  Tensors entries;
  // The types that go round are those of a turn that leaves them as they are; each try knows fewer sizes than the one before.
  for (bool isSettled = false; !isSettled;) {
    region.getBlocks().clear();
    Block &block = region.emplaceBlock();
    OpBuilder::InsertPoint outside = e.b.saveInsertionPoint();
    OpBuilder::InsertionGuard guard(e.b);
    Extents::Region scope(e.extents);
    Location location = e.b.getLoc();
    e.b.setInsertionPointToEnd(&block);
    Value index = block.addArgument(e.b.getIndexType(), location), before = block.addArgument(e.b.getI1Type(), location);
    Tensors inside;
    for (const Tensor &state : carried)
      inside.push_back(e.fromValue(block.addArgument(e.tensorType(state.shape, state.type), location), state.type));
    FailureOr<Turn> made = turn(index, before, inside);
    e.b.setLoc(location);
    if (failed(made))
      return failure();
    isSettled = true;
    SmallVector<RankedTensorType> common;
    for (auto [state, after] : llvm::zip(carried, made->carried)) {
      FailureOr<RankedTensorType> type = commonType(call, state, after);
      if (failed(type))
        return failure();
      common.push_back(*type);
      isSettled &= *type == e.tensorType(state.shape, state.type);
    }
    if (!isSettled) {
      e.b.restoreInsertionPoint(outside);
      for (auto [state, type] : llvm::zip(carried, common))
        state = e.fromValue(castTo(e, e.value(state), type), state.type);
      continue;
    }
    SmallVector<Value> next = {arith::AddIOp::create(e.b, index, e.extents.value(1)), made->goesOn ? made->goesOn : before};
    for (auto [after, type] : llvm::zip(made->carried, common))
      next.push_back(castTo(e, e.value(after), type));
    entries = made->entries;
    for (const Tensor &entry : entries) {
      SmallVector<int64_t> dims = {ShapedType::kDynamic};
      llvm::append_range(dims, e.tensorType(entry.shape, entry.type).getShape());
      auto type = RankedTensorType::get(dims, e.elementType(entry.type));
      next.push_back(appended(e, block.addArgument(type, location), entry, index));
    }
    scf::YieldOp::create(e.b, next);
  }
  for (const Tensor &state : carried) {
    begin.push_back(e.value(state));
    types.push_back(begin.back().getType());
  }
  for (BlockArgument argument : region.front().getArguments().drop_front(2 + states)) {
    auto type = cast<RankedTensorType>(argument.getType());
    types.push_back(type);
    SmallVector<Value> none(type.getNumDynamicDims(), e.extents.value(0));
    begin.push_back(tensor::EmptyOp::create(e.b, type, none));
  }
  auto loop = scf::WhileOp::create(e.b, types, begin);
  loop.getAfter().takeBody(region);
  {
    OpBuilder::InsertionGuard guard(e.b);
    SmallVector<Location> locations(types.size(), e.b.getLoc());
    Block *test = e.b.createBlock(&loop.getBefore(), {}, types, locations);
    Value condition = test->getArgument(1);
    if (count)
      condition =
          arith::AndIOp::create(e.b, condition, arith::CmpIOp::create(e.b, arith::CmpIPredicate::slt, test->getArgument(0), count));
    scf::ConditionOp::create(e.b, condition, test->getArguments());
  }
  Tensors results;
  for (auto [index, value] : llvm::enumerate(loop.getResults().drop_front(2)))
    results.push_back(e.fromValue(value, index < states ? carried[index].type : entries[index - states].type));
  return results;
}

LogicalResult loop(Call &call) {
  Emitter &e = call.e;
  const Graph *body = call.graph("body");
  if (!body)
    return failure();
  Tensors carried;
  for (size_t index = 2; index < call.inputCount(); ++index) {
    if (!call.has(index))
      return call.refuse("expected a value for input " + Twine(index));
    carried.push_back(call.in(index));
  }
  size_t states = carried.size();
  if (body->inputs.size() != states + 2 || body->outputs.size() < states + 1)
    return call.refuse("body: expected " + Twine(states + 2) + " inputs and at least " + Twine(states + 1) + " outputs, got " +
                       Twine(body->inputs.size()) + " and " + Twine(body->outputs.size()));
  Value count, goesOn;
  if (call.has(0)) {
    if (!isScalar(call.in(0), DataType::Int64))
      return call.refuse("M: expected one int64, got " + nameOf(call.in(0).type) + " " + spelled(call.in(0).shape));
    count = e.extents.value(e.integers(call.in(0)).front());
  }
  if (call.has(1)) {
    if (!isScalar(call.in(1), DataType::Bool))
      return call.refuse("cond: expected one bool, got " + nameOf(call.in(1).type) + " " + spelled(call.in(1).shape));
    goesOn = scalarOf(e, call.in(1));
  }
  auto results = runLoop(call, count, goesOn, carried, [&](Value index, Value before, ArrayRef<Tensor> inside) -> FailureOr<Turn> {
    Tensors arguments = {
        e.known({e.extents.of(index, true)}, {}),
        e.tensor(tensor::FromElementsOp::create(e.b, RankedTensorType::get({}, e.b.getI1Type()), before), DataType::Bool, {})};
    llvm::append_range(arguments, inside);
    FailureOr<Tensors> made = call.build(*body, arguments);
    if (failed(made))
      return failure();
    if (!isScalar(made->front(), DataType::Bool))
      return call.refuse("body: expected one bool as its first output, got " + nameOf(made->front().type));
    Turn turn;
    turn.goesOn = scalarOf(e, made->front());
    turn.carried.append(made->begin() + 1, made->begin() + 1 + states);
    turn.entries.append(made->begin() + 1 + states, made->end());
    return turn;
  });
  if (failed(results))
    return failure();
  if (call.outputCount() > results->size())
    return call.refuse("body: expected as many outputs as the node has");
  for (auto [index, result] : llvm::enumerate(*results))
    call.give(index, result);
  return success();
}

/// Entry `index` along `axis`, without that dimension.
Tensor entryOf(Emitter &e, const Tensor &tensor, int64_t axis, const Extent &index) {
  Tensor cut = e.sliceAxis(tensor, axis, index, 1);
  Shape shape = cut.shape;
  shape.erase(shape.begin() + axis);
  return e.reshape(cut, shape);
}

Tensor reversed(Emitter &e, const Tensor &tensor) {
  Value source = e.value(tensor), last = e.extents.value(e.extents.subtract(tensor.shape[0], 1));
  return e.generate(tensor.shape, tensor.type, [&](Scalars &s, ValueRange at) -> Value {
    SmallVector<Value> place(at);
    place[0] = s.subtract(last, place[0]);
    return tensor::ExtractOp::create(s.b, source, place);
  });
}

LogicalResult scan(Call &call) {
  Emitter &e = call.e;
  const Graph *body = call.graph("body");
  int64_t scanned = call.integer("num_scan_inputs", 0);
  if (!body)
    return failure();
  if (scanned < 1 || scanned > static_cast<int64_t>(call.inputCount()))
    return call.refuse("attribute 'num_scan_inputs': expected 1 to " + Twine(call.inputCount()) + ", got " + Twine(scanned));
  size_t states = call.inputCount() - scanned;
  if (body->inputs.size() != call.inputCount() || body->outputs.size() < states || body->outputs.size() < call.outputCount())
    return call.refuse("body: expected as many inputs and outputs as the node has");
  size_t collected = body->outputs.size() - states;
  auto list = [&](StringRef name, size_t count) {
    std::vector<int64_t> values = call.integers(name);
    values.resize(count, 0);
    return values;
  };
  std::vector<int64_t> axes = list("scan_input_axes", scanned), directions = list("scan_input_directions", scanned);
  std::vector<int64_t> outAxes = list("scan_output_axes", collected), outDirections = list("scan_output_directions", collected);
  Tensors carried, sources;
  Extent count;
  for (size_t index = 0; index < call.inputCount(); ++index) {
    if (!call.has(index))
      return call.refuse("expected a value for input " + Twine(index));
    if (index < states) {
      carried.push_back(call.in(index));
      continue;
    }
    size_t which = index - states;
    FailureOr<int64_t> axis = call.axis(axes[which], call.in(index).rank(), "scan_input_axes");
    if (failed(axis))
      return failure();
    axes[which] = *axis;
    sources.push_back(e.tensor(e.value(call.in(index)), call.in(index).type, call.in(index).shape));
    const Extent &length = call.in(index).shape[*axis];
    if (which == 0)
      count = length;
    if (length.isConstant() && count.isConstant() && length != count)
      return call.refuse("expected scanned inputs of one length, got " + Twine(count.constant()) + " and " +
                         Twine(length.constant()));
    e.requireEqual(length, count, call.place() + ": scanned inputs are not of one length");
  }
  auto results =
      runLoop(call, e.extents.value(count), Value(), carried, [&](Value index, Value, ArrayRef<Tensor> inside) -> FailureOr<Turn> {
        Tensors arguments(inside);
        Extent forward = e.extents.of(index, true), backward = e.extents.subtract(e.extents.subtract(count, 1), forward);
        for (auto [which, source] : llvm::enumerate(sources))
          arguments.push_back(entryOf(e, source, axes[which], directions[which] ? backward : forward));
        FailureOr<Tensors> made = call.build(*body, arguments);
        if (failed(made))
          return failure();
        Turn turn;
        turn.carried.append(made->begin(), made->begin() + states);
        turn.entries.append(made->begin() + states, made->end());
        return turn;
      });
  if (failed(results))
    return failure();
  for (auto [index, result] : llvm::enumerate(*results)) {
    if (index >= states) {
      size_t which = index - states;
      FailureOr<int64_t> axis = call.axis(outAxes[which], result.rank(), "scan_output_axes");
      if (failed(axis))
        return failure();
      // As many entries as turns.
      Shape shape = result.shape;
      shape[0] = count;
      result = e.tensor(result.value, result.type, shape);
      if (outDirections[which])
        result = reversed(e, result);
      SmallVector<int64_t> permutation;
      for (int64_t dim = 1; dim < result.rank(); ++dim)
        permutation.push_back(dim);
      permutation.insert(permutation.begin() + *axis, 0);
      result = e.transpose(result, permutation);
    }
    call.give(index, result);
  }
  return success();
}

} // namespace

ArrayRef<Operator> onnx::controlFlowOperators() {
  static constexpr Operator operators[] = {
      {"If", conditional, 1, 1, anyNumber}, {"Loop", loop, 0, anyNumber, anyNumber}, {"Scan", scan, 1, anyNumber, anyNumber, 9}};
  return operators;
}
