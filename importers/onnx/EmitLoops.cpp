// linalg.generic in the forms that operators need: maps with broadcasting, reductions, contractions, elements by index.
#include "importers/onnx/Emitter.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

static bool isUnsignedOrBool(DataType type) { return isUnsigned(type) || type == DataType::Bool; }

Tensor Emitter::loop(ArrayRef<Tensor> inputs, ArrayRef<Subscripts> subscripts, ArrayRef<Extent> loops, int64_t outRank,
                     DataType type, std::optional<double> initial, ElementFunction element) {
  MLIRContext *context = b.getContext();
  SmallVector<AffineMap> maps;
  for (const Subscripts &of : subscripts) {
    auto expressions = llvm::map_to_vector(of, [&](int index) {
      return index == broadcast ? getAffineConstantExpr(0, context) : getAffineDimExpr(static_cast<unsigned>(index), context);
    });
    maps.push_back(AffineMap::get(loops.size(), 0, expressions, context));
  }
  SmallVector<AffineExpr> result;
  for (int64_t index = 0; index < outRank; ++index)
    result.push_back(getAffineDimExpr(index, context));
  maps.push_back(AffineMap::get(loops.size(), 0, result, context));
  SmallVector<utils::IteratorType> iterators(loops.size(), utils::IteratorType::parallel);
  std::fill(iterators.begin() + outRank, iterators.end(), utils::IteratorType::reduction);
  ArrayRef<Extent> shape = loops.take_front(outRank);
  Value out = initial ? filled(shape, type, *initial).value
                      : Value(tensor::EmptyOp::create(b, tensorType(shape, type), extents.dynamicSizes(shape)));
  auto operands = llvm::map_to_vector(inputs, [&](const Tensor &input) { return value(input); });
  auto generic = linalg::GenericOp::create(b, out.getType(), operands, out, maps, iterators,
                                           [&](OpBuilder &inner, Location location, ValueRange arguments) {
                                             ImplicitLocOpBuilder body(location, inner);
                                             Scalars scalars(body, isUnsignedOrBool(inputs.empty() ? type : inputs.front().type));
                                             linalg::YieldOp::create(body, element(scalars, arguments));
                                           });
  return tensor(generic.getResult(0), type, shape);
}

Tensor Emitter::map(ArrayRef<Tensor> inputs, ArrayRef<Extent> shape, DataType type, ElementFunction element) {
  SmallVector<Tensor, 2> operands;
  SmallVector<Subscripts> subscripts;
  for (const Tensor &input : inputs) {
    operands.push_back(broadcastAtRunTime(input, shape));
    Subscripts &of = subscripts.emplace_back();
    int64_t lead = static_cast<int64_t>(shape.size()) - input.rank();
    for (int64_t axis = 0; axis < input.rank(); ++axis)
      of.push_back(operands.back().shape[axis] == shape[lead + axis] ? static_cast<int>(lead + axis) : broadcast);
  }
  return loop(operands, subscripts, shape, shape.size(), type, std::nullopt, [&](Scalars &s, ValueRange arguments) {
    SmallVector<Value> widened;
    for (auto [input, argument] : llvm::zip(inputs, arguments))
      widened.push_back(s.convert(argument, input.type, wide(input.type)));
    return s.convert(element(s, widened), wide(type), type);
  });
}

/// Where it is not known whether sizes are equal or 1, the choice is made when it runs.
Tensor Emitter::broadcastAtRunTime(const Tensor &input, ArrayRef<Extent> shape) {
  ArrayRef<Extent> target = shape.take_back(input.rank());
  Shape decided = input.shape;
  for (auto [size, wanted] : llvm::zip(decided, target))
    if (size != wanted && !size.is(1))
      size = wanted;
  if (decided == input.shape)
    return input;
  for (auto [size, wanted] : llvm::zip(input.shape, target))
    if (size != wanted && !size.is(1)) {
      Scalars s(b);
      Value have = extents.value(size);
      require(s.either(s.equal(have, s.index(1)), s.equal(have, extents.value(wanted))), "sizes do not broadcast");
    }
  Value source = value(input);
  SmallVector<Value> isOne;
  for (auto [size, wanted] : llvm::zip(input.shape, decided)) {
    Scalars s(b);
    isOne.push_back(size == wanted ? Value() : s.equal(extents.value(size), s.index(1)));
  }
  return generate(decided, input.type, [&](Scalars &s, ValueRange indices) -> Value {
    SmallVector<Value> at(indices);
    for (auto [index, one] : llvm::zip(at, isOne))
      if (one)
        index = s.select(one, s.index(0), index);
    return tensor::ExtractOp::create(s.b, source, at);
  });
}

Tensor Emitter::generate(ArrayRef<Extent> shape, DataType type, IndexFunction element) {
  return loop({}, {}, shape, shape.size(), type, std::nullopt, [&](Scalars &s, ValueRange) {
    SmallVector<Value> indices;
    for (size_t axis = 0; axis < shape.size(); ++axis)
      indices.push_back(linalg::IndexOp::create(s.b, axis));
    Scalars ofIndices(s.b); // which are signed, whatever the elements are
    return element(ofIndices, indices);
  });
}

Tensor Emitter::expand(const Tensor &input, ArrayRef<Extent> shape) {
  if (ArrayRef<Extent>(input.shape) == shape)
    return input;
  Tensor result = map({input}, shape, wide(input.type), [](Scalars &, ValueRange x) { return x[0]; });
  return cast(result, input.type);
}

Tensor Emitter::reduce(const Tensor &input, ArrayRef<int64_t> axes, double initial, ElementFunction combine) {
  DataType type = wide(input.type);
  Shape loops, kept;
  Subscripts subscripts(input.rank(), 0);
  for (int64_t axis = 0; axis < input.rank(); ++axis) {
    bool isReduced = llvm::is_contained(axes, axis);
    kept.push_back(isReduced ? Extent(1) : input.shape[axis]);
    if (!isReduced) {
      subscripts[axis] = static_cast<int>(loops.size());
      loops.push_back(input.shape[axis]);
    }
  }
  int64_t outRank = loops.size();
  for (int64_t axis = 0; axis < input.rank(); ++axis)
    if (llvm::is_contained(axes, axis)) {
      subscripts[axis] = static_cast<int>(loops.size());
      loops.push_back(input.shape[axis]);
    }
  Tensor result = loop({input}, {subscripts}, loops, outRank, type, initial,
                       [&](Scalars &s, ValueRange x) { return combine(s, {s.convert(x[0], input.type, type), x[1]}); });
  return reshape(result, kept);
}

Tensor Emitter::sum(const Tensor &input, ArrayRef<int64_t> axes) {
  return reduce(input, axes, 0, [](Scalars &s, ValueRange x) { return s.add(x[1], x[0]); });
}

Tensor Emitter::maximum(const Tensor &input, ArrayRef<int64_t> axes) {
  return reduce(input, axes, -std::numeric_limits<double>::infinity(),
                [](Scalars &s, ValueRange x) { return s.maximum(x[1], x[0]); });
}

Tensor Emitter::contract(const Tensor &a, Subscripts ofA, const Tensor &b, Subscripts ofB, ArrayRef<Extent> loops, int64_t outRank,
                         DataType type) {
  DataType accumulated = wide(type);
  Tensor result = loop({a, b}, {ofA, ofB}, loops, outRank, accumulated, 0, [&](Scalars &s, ValueRange x) {
    return s.add(x[2], s.multiply(s.convert(x[0], a.type, accumulated), s.convert(x[1], b.type, accumulated)));
  });
  return cast(result, type);
}
