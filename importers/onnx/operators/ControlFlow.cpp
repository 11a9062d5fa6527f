// If and Loop as scf.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Loops.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

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

//===- Loop -----------------------------------------------------------------------------------------------------------------===//

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

} // namespace

ArrayRef<Operator> onnx::controlFlowOperators() {
  static constexpr Operator operators[] = {{"If", conditional, 1, 1, anyNumber}, {"Loop", loop, 0, anyNumber, anyNumber}};
  return operators;
}
