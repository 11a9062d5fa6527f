// Tensors that come from no other: constants, ranges, identity matrices.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Axes.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

static LogicalResult giveStored(Call &call, const StoredTensor &stored) {
  Tensor tensor;
  tensor.type = call.e.weights.seenAs(stored.type);
  tensor.shape.assign(stored.dims.begin(), stored.dims.end());
  tensor.stored = &stored;
  if (!call.e.elementType(stored.type))
    return call.refuse("value: tensors of " + nameOf(stored.type) + " are not supported");
  call.give(0, std::move(tensor));
  return success();
}

static LogicalResult giveNumbers(Call &call, ArrayRef<float> numbers, ArrayRef<Extent> shape) {
  auto type =
      RankedTensorType::get(llvm::map_to_vector(shape, [](const Extent &size) { return size.dim(); }), call.e.b.getF32Type());
  call.give(0, call.e.tensor(arith::ConstantOp::create(call.e.b, DenseElementsAttr::get(type, numbers)), DataType::Float32, shape));
  return success();
}

static LogicalResult constant(Call &call) {
  StringRef forms[] = {"value",        "value_int",    "value_ints",    "value_float",
                       "value_floats", "value_string", "value_strings", "sparse_value"};
  SmallVector<StringRef> given;
  for (StringRef form : forms)
    if (call.hasAttribute(form))
      given.push_back(form);
  if (given.size() != 1)
    return call.refuse("expected one value, got " + Twine(given.size()));
  StringRef form = given.front();
  if (form == "value") {
    const StoredTensor *stored = call.tensor("value");
    return stored ? giveStored(call, *stored) : call.refuse("value: expected a tensor");
  }
  if (form == "value_int") {
    call.give(0, call.e.known({call.integer(form, 0)}, {}));
    return success();
  }
  if (form == "value_ints") {
    std::vector<int64_t> list = call.integers(form);
    call.give(0, call.e.known(SmallVector<Extent>(list.begin(), list.end()), {static_cast<int64_t>(list.size())}));
    return success();
  }
  if (form == "value_float")
    return giveNumbers(call, {static_cast<float>(call.number(form, 0))}, {});
  if (form == "value_floats") {
    std::vector<float> list = call.numbers(form);
    return giveNumbers(call, list, {static_cast<int64_t>(list.size())});
  }
  return call.refuse("attribute '" + form + "' is not supported");
}

static LogicalResult constantOfShape(Call &call) {
  auto sizes = integersOf(call, "input", 0);
  if (failed(sizes) || !*sizes)
    return failure();
  Shape shape;
  for (const Extent &size : **sizes)
    if (size.isConstant() && size.constant() < 0)
      return call.refuse("expected sizes of at least 0, got " + Twine(size.constant()));
    else
      shape.push_back(call.e.extents.maximum(size, 0));
  const StoredTensor *value = call.tensor("value");
  if (!value) {
    call.give(0, call.e.filled(shape, DataType::Float32, 0));
    return success();
  }
  if (value->elements != 1 || !call.e.elementType(value->type))
    return call.refuse("value: expected one number, got " + Twine(value->elements));
  Tensor element;
  element.type = call.e.weights.seenAs(value->type);
  element.stored = value;
  element.shape.assign(value->dims.begin(), value->dims.end());
  call.give(0, call.e.expand(call.e.reshape(element, {}), shape));
  return success();
}

static LogicalResult range(Call &call) {
  DataType type = call.in(0).type;
  call.leaveAside("stash_type");
  for (size_t index = 0; index < 3; ++index)
    if (call.in(index).type != type || !call.in(index).isStatic() || call.in(index).count() != 1)
      return call.refuse("expected three scalars of one type");
  Extents &x = call.e.extents;
  Extent count;
  Emitter &e = call.e;
  if (isInteger(type)) {
    Extent start = e.integers(call.in(0)).front(), limit = e.integers(call.in(1)).front(), step = e.integers(call.in(2)).front();
    if (step.is(0))
      return call.refuse("delta: expected it not to be 0");
    Extent round = x.ifNegative(step, x.add(step, 1), x.subtract(step, 1));
    count = x.maximum(x.divide(x.add(x.subtract(limit, start), step.is(1) ? Extent(0) : round), step), 0);
  } else {
    Scalars s(e.b);
    auto wider = [&](size_t index) { return s.convert(e.scalar(call.in(index)), type, wide(type)); };
    Value steps = math::CeilOp::create(e.b, s.divide(s.subtract(wider(1), wider(0)), wider(2)));
    steps = s.maximum(steps, s.like(steps, 0));
    count = x.of(s.toIndex(s.convert(steps, wide(type), DataType::Int64)), true);
  }
  Value start = e.scalar(call.in(0)), delta = e.scalar(call.in(2));
  call.give(0, e.generate({count}, type, [&](Scalars &s, ValueRange indices) -> Value {
    Value index = arith::IndexCastOp::create(s.b, s.b.getI64Type(), indices[0]);
    DataType wider = wide(type);
    Value step = s.multiply(s.convert(index, DataType::Int64, wider), s.convert(delta, type, wider));
    return s.convert(s.add(s.convert(start, type, wider), step), wider, type);
  }));
  return success();
}

static LogicalResult eyeLike(Call &call) {
  auto type = static_cast<DataType>(call.integer("dtype", static_cast<int64_t>(call.in(0).type)));
  if (call.in(0).rank() != 2 || !call.e.elementType(type))
    return call.refuse("expected a matrix of a numeric type");
  Value offset = call.e.extents.value(call.integer("k", 0));
  call.give(0, call.e.generate(call.in(0).shape, type, [&](Scalars &s, ValueRange indices) {
    Type element = call.e.elementType(type);
    return s.select(s.equal(s.add(indices[0], offset), indices[1]), s.number(element, 1), s.number(element, 0));
  }));
  return success();
}

ArrayRef<Operator> onnx::constantOperators() {
  static constexpr Operator operators[] = {
      {"Constant", constant, 0, 0}, {"ConstantOfShape", constantOfShape, 1, 1}, {"Range", range, 3, 3}, {"EyeLike", eyeLike, 1, 1}};
  return operators;
}
