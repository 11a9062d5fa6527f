// If and Loop as scf.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Loops.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

/// Values of these forms made of their parts, and what else there is.
Tensors putTogether(Emitter &e, ArrayRef<Tensor> parts, ArrayRef<Form> forms) {
  Tensors values;
  for (const Form &form : forms) {
    values.push_back(putTogether(e, parts.take_front(form.parts()), form));
    parts = parts.drop_front(form.parts());
  }
  llvm::append_range(values, parts);
  return values;
}

//===- If -------------------------------------------------------------------------------------------------------------------===//

/// Runs `make` where `block` ends, which stands alone: what is made there is of no use outside, and nothing may be looked for
/// beyond it.
LogicalResult within(Call &call, Block &block, llvm::function_ref<LogicalResult()> make) {
  OpBuilder::InsertionGuard guard(call.e.b);
  Extents::Region region(call.e.extents);
  Location location = call.e.b.getLoc();
  call.e.b.setInsertionPointToEnd(&block);
  LogicalResult made = make();
  call.e.b.setLoc(location);
  return made;
}

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
    FailureOr<Tensors> results = call.build(*branches[condition.elements->front().is(0) ? 1 : 0], {}, /*takesCompounds=*/true);
    if (failed(results))
      return failure();
    for (auto [index, result] : llvm::enumerate(*results))
      call.give(index, result);
    return success();
  }
  Value flag = e.scalar(condition);
  // The types of the results are known when both branches are built.
  Region regions[2];
  Tensors results[2], parts[2];
  for (size_t way : {0, 1})
    if (failed(within(call, regions[way].emplaceBlock(), [&]() -> LogicalResult {
          FailureOr<Tensors> built = call.build(*branches[way], {}, /*takesCompounds=*/true);
          if (succeeded(built))
            results[way] = *built;
          return built;
        })))
      return failure();
  SmallVector<Form> forms;
  for (auto [a, b] : llvm::zip(results[0], results[1])) {
    FailureOr<Form> form = join(call, formOf(a), formOf(b));
    if (failed(form))
      return failure();
    forms.push_back(*form);
  }
  SmallVector<Value> values[2];
  for (size_t way : {0, 1})
    if (failed(within(call, regions[way].front(), [&]() -> LogicalResult {
          for (auto [result, form] : llvm::zip(results[way], forms))
            if (failed(takeApart(e, result, form, parts[way])))
              return call.refuse(tooManyElements);
          for (const Tensor &part : parts[way])
            values[way].push_back(e.value(part));
          return success();
        })))
      return failure();
  SmallVector<Type> types;
  for (auto [a, b] : llvm::zip(parts[0], parts[1])) {
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
  Tensors merged;
  for (auto [part, value] : llvm::zip(parts[0], branch.getResults()))
    merged.push_back(e.fromValue(value, part.type));
  for (auto [index, result] : llvm::enumerate(putTogether(e, merged, forms)))
    call.give(index, result);
  return success();
}

//===- Loop -----------------------------------------------------------------------------------------------------------------===//

/// The forms of what goes round, as the body's results are found to be of wider ones.
class CarriedForms {
public:
  explicit CarriedForms(ArrayRef<Tensor> values) : forms(llvm::map_to_vector(values, formOf)) {}

  /// Of sequences without elements yet, what the body says of their elements.
  void startFrom(ArrayRef<ValueInfo> declared) {
    for (auto [form, info] : llvm::zip(forms, declared))
      if (form.isSequence && form.ranks.kind == Ranks::None && info.kind.ends_with("sequence") && info.hasShape)
        form.ranks = {Ranks::Equal, static_cast<int64_t>(info.dims.size())};
  }
  /// Whether all `values` are of these forms; what is not makes them wider.
  FailureOr<bool> hold(Call &call, ArrayRef<Tensor> values) {
    bool doHold = true;
    for (auto [form, value] : llvm::zip(forms, values)) {
      FailureOr<Form> wider = join(call, form, formOf(value));
      if (failed(wider))
        return failure();
      doHold &= *wider == form;
      form = *wider;
    }
    return doHold;
  }
  FailureOr<Tensors> partsOf(Call &call, ArrayRef<Tensor> values) const {
    Tensors parts;
    for (auto [form, value] : llvm::zip(forms, values))
      if (failed(takeApart(call.e, value, form, parts)))
        return call.refuse(tooManyElements);
    return parts;
  }
  ArrayRef<Form> get() const { return forms; }

private:
  SmallVector<Form> forms;
};

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
    goesOn = e.scalar(call.in(1));
  }
  CarriedForms forms(carried);
  forms.startFrom(ArrayRef(body->inputs).drop_front(2));
  bool areSettled = false;
  auto turn = [&](Value index, Value before, ArrayRef<Tensor> inside) -> FailureOr<Turn> {
    Tensors arguments = {
        e.known({e.extents.of(index, true)}, {}),
        e.tensor(tensor::FromElementsOp::create(e.b, RankedTensorType::get({}, e.b.getI1Type()), before), DataType::Bool, {})};
    llvm::append_range(arguments, putTogether(e, inside, forms.get()));
    FailureOr<Tensors> made = call.build(*body, arguments, /*takesCompounds=*/true);
    if (failed(made))
      return failure();
    if (!isScalar(made->front(), DataType::Bool))
      return call.refuse("body: expected one bool as its first output, got " + nameOf(made->front().type));
    ArrayRef<Tensor> after = ArrayRef(*made).drop_front(1).take_front(states), entries = ArrayRef(*made).drop_front(1 + states);
    for (const Tensor &entry : entries)
      if (!entry.isTensor())
        return call.refuse("body: expected tensors to collect, got " + kindOf(entry));
    FailureOr<bool> areOfForms = forms.hold(call, after);
    areSettled = succeeded(areOfForms) && *areOfForms;
    if (!areSettled)
      return failure();
    FailureOr<Tensors> parts = forms.partsOf(call, after);
    if (failed(parts))
      return failure();
    Turn turn;
    turn.goesOn = e.scalar(made->front());
    turn.carried = *parts;
    turn.entries.append(entries.begin(), entries.end());
    return turn;
  };
  // As often as the forms become wider. Of each there are few, but one state may widen the next: tries count as elements.
  FailureOr<Tensors> results = failure();
  while (failed(results)) {
    if (!countElements(e, carried))
      return call.refuse(tooManyElements);
    FailureOr<Tensors> parts = forms.partsOf(call, carried);
    if (failed(parts))
      return failure();
    results = runLoop(call, count, goesOn, *parts, turn);
    if (failed(results) && (areSettled || call.hasFailed()))
      return failure();
  }
  Tensors whole = putTogether(e, *results, forms.get());
  if (call.outputCount() > whole.size())
    return call.refuse("body: expected as many outputs as the node has");
  for (auto [index, result] : llvm::enumerate(whole))
    call.give(index, result);
  return success();
}

} // namespace

ArrayRef<Operator> onnx::controlFlowOperators() {
  static constexpr Operator operators[] = {{"If", conditional, 1, 1, anyNumber},
                                           {"Loop", loop, 0, anyNumber, anyNumber, 1, 1000, true}};
  return operators;
}
