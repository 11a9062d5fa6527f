// Reductions over axes, which may be known only when it runs; the largest or smallest and where it is; running sums.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Axes.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {
/// A reduction as a map before it, a combination, and a map of its result after it.
struct Reduction {
  Value (*before)(Scalars &, Value);
  double initial;
  Value (*combine)(Scalars &, Value accumulated, Value next);
  Value (*after)(Scalars &, Value);
  bool isMean = false;
};
} // namespace

static constexpr double infinite = std::numeric_limits<double>::infinity();
static Value same(Scalars &, Value x) { return x; }
static Value square(Scalars &s, Value x) { return s.multiply(x, x); }
static Value absolute(Scalars &s, Value x) { return s.absolute(x); }
static Value exponential(Scalars &s, Value x) { return s.exponential(x); }
static Value add(Scalars &s, Value x, Value y) { return s.add(x, y); }
static Value multiply(Scalars &s, Value x, Value y) { return s.multiply(x, y); }
static Value maximum(Scalars &s, Value x, Value y) { return s.maximum(x, y); }
static Value minimum(Scalars &s, Value x, Value y) { return s.minimum(x, y); }
/// Of integers, through floats.
template <typename Op> static Value function(Scalars &s, Value x) {
  if (isa<FloatType>(x.getType()))
    return s.function<Op>(x);
  DataType type = x.getType().isInteger(64) ? DataType::Int64 : DataType::Int32;
  return s.convert(s.function<Op>(s.convert(x, type, DataType::Float64)), DataType::Float64, type);
}

static constexpr Reduction sumOf = {same, 0, add, same}, meanOf = {same, 0, add, same, true}, productOf = {same, 1, multiply, same},
                           maximumOf = {same, -infinite, maximum, same}, minimumOf = {same, infinite, minimum, same},
                           sumSquareOf = {square, 0, add, same}, l1Of = {absolute, 0, add, same},
                           l2Of = {square, 0, add, function<math::SqrtOp>}, logSumOf = {same, 0, add, function<math::LogOp>},
                           logSumExpOf = {exponential, 0, add, function<math::LogOp>};

/// Loops of which the first `outRank` make the result and the others are reduced, by an element function that reads at indices.
static Tensor reduceByIndex(Emitter &e, ArrayRef<Extent> loops, int64_t outRank, DataType type, double initial,
                            ElementFunction element) {
  // A tensor as large as all loops, of which nothing is read, gives the reduction its bounds.
  Tensor bounds = e.tensor(tensor::EmptyOp::create(e.b, e.tensorType(loops, DataType::Bool), e.extents.dynamicSizes(loops)),
                           DataType::Bool, loops);
  Subscripts all;
  for (size_t loop = 0; loop < loops.size(); ++loop)
    all.push_back(static_cast<int>(loop));
  return e.loop({bounds}, {all}, loops, outRank, type, initial, element);
}

/// Over axes that are chosen when it runs: every dimension is looped over twice, once in the result and once in the reduction, and
/// one of the two loops has a single turn.
static Tensor reduceChosen(Emitter &e, const Tensor &input, ArrayRef<Extent> chosen, const Reduction &reduction) {
  Shape loops;
  for (auto [size, flag] : llvm::zip(input.shape, chosen))
    loops.push_back(e.extents.ifEqual(flag, 1, 1, size));
  for (auto [size, flag] : llvm::zip(input.shape, chosen))
    loops.push_back(e.extents.ifEqual(flag, 1, size, 1));
  Value source = e.value(input);
  DataType type = wide(input.type);
  return reduceByIndex(e, loops, input.rank(), type, reduction.initial, [&](Scalars &s, ValueRange x) {
    Scalars elements(s.b, isUnsigned(input.type) || input.type == DataType::Bool);
    SmallVector<Value> at;
    for (int64_t axis = 0; axis < input.rank(); ++axis)
      at.push_back(
          arith::AddIOp::create(s.b, linalg::IndexOp::create(s.b, axis), linalg::IndexOp::create(s.b, input.rank() + axis)));
    Value element = elements.convert(tensor::ExtractOp::create(s.b, source, at), input.type, type);
    return reduction.combine(elements, x[1], reduction.before(elements, element));
  });
}

template <const Reduction &reduction> static LogicalResult reduce(Call &call) {
  const Tensor &input = call.in(0);
  Emitter &e = call.e;
  bool keep = call.flag("keepdims", true), nothingWithoutAxes = call.flag("noop_with_empty_axes");
  auto given = integersOf(call, "axes", 1);
  if (failed(given))
    return failure();
  SmallVector<Extent> chosen(input.rank(), Extent(1));
  int64_t count = input.rank();
  if (*given && !(*given)->empty()) {
    auto flags = chosenAxes(call, **given, input.rank());
    if (failed(flags))
      return failure();
    chosen = *flags;
    count = (*given)->size();
  } else if (nothingWithoutAxes) {
    chosen.assign(input.rank(), Extent(0));
    count = 0;
  }
  Tensor result;
  Extent elements = 1;
  for (auto [size, flag] : llvm::zip(input.shape, chosen))
    elements = e.extents.multiply(elements, e.extents.ifEqual(flag, 1, size, 1));
  if (areKnown(chosen)) {
    SmallVector<int64_t> axes;
    for (auto [axis, flag] : llvm::enumerate(chosen))
      if (flag.is(1))
        axes.push_back(static_cast<int64_t>(axis));
    result = e.reduce(input, axes, reduction.initial,
                      [](Scalars &s, ValueRange x) { return reduction.combine(s, x[1], reduction.before(s, x[0])); });
  } else {
    result = reduceChosen(e, input, chosen, reduction);
  }
  Value divisor = reduction.isMean ? arith::IndexCastOp::create(e.b, e.b.getI64Type(), e.extents.value(elements)) : Value();
  result = e.map({result}, result.shape, input.type, [&](Scalars &s, ValueRange x) {
    Value value = reduction.after(s, x[0]);
    return divisor ? s.divide(value, s.convert(divisor, DataType::Int64, wide(input.type))) : value;
  });
  if (!keep)
    result = e.reshape(result, withoutChosen(e.extents, result.shape, chosen, count));
  call.give(0, result);
  return success();
}

template <bool isLargest> static LogicalResult position(Call &call) {
  const Tensor &input = call.in(0);
  Emitter &e = call.e;
  FailureOr<int64_t> axis = call.axis(call.integer("axis", 0), input.rank());
  bool keep = call.flag("keepdims", true), last = call.flag("select_last_index");
  if (failed(axis))
    return failure();
  Tensor best = e.reduce(input, {*axis}, isLargest ? -infinite : infinite,
                         [](Scalars &s, ValueRange x) { return isLargest ? s.maximum(x[1], x[0]) : s.minimum(x[1], x[0]); });
  // The first or last place that holds it.
  Subscripts whole, reduced;
  Shape loops;
  for (int64_t dim = 0; dim < input.rank(); ++dim) {
    bool isReduced = dim == *axis;
    whole.push_back(static_cast<int>(isReduced ? input.rank() - 1 : loops.size()));
    reduced.push_back(isReduced ? broadcast : static_cast<int>(loops.size()));
    if (!isReduced)
      loops.push_back(input.shape[dim]);
  }
  loops.push_back(input.shape[*axis]);
  Tensor place = e.loop({input, best}, {whole, reduced}, loops, input.rank() - 1, DataType::Int64, last ? -1 : infinite,
                        [&](Scalars &s, ValueRange x) {
                          Scalars indices(s.b);
                          Value here =
                              arith::IndexCastOp::create(s.b, s.b.getI64Type(), linalg::IndexOp::create(s.b, input.rank() - 1));
                          Value value = s.convert(x[0], input.type, best.type);
                          Value closer = last ? indices.maximum(x[2], here) : indices.minimum(x[2], here);
                          // NaN is the largest and the smallest there is.
                          Value isIt = s.equal(value, x[1]);
                          if (isFloat(input.type))
                            isIt = s.either(isIt, s.isNaN(value));
                          return s.select(isIt, closer, x[2]);
                        });
  if (keep) {
    Shape shape = input.shape;
    shape[*axis] = 1;
    place = e.reshape(place, shape);
  }
  call.give(0, place);
  return success();
}

template <bool isProduct> static LogicalResult running(Call &call) {
  const Tensor &input = call.in(0);
  Emitter &e = call.e;
  bool exclusive = call.flag("exclusive"), reverse = call.flag("reverse");
  auto given = integersOf(call, "axis", 1);
  if (failed(given) || !*given || (*given)->size() != 1)
    return call.refuse("axis: expected one");
  auto chosen = chosenAxes(call, **given, input.rank(), "axis");
  if (failed(chosen))
    return failure();
  Shape loops = input.shape;
  Extent length = 1;
  for (auto [size, flag] : llvm::zip(input.shape, *chosen))
    length = e.extents.ifEqual(flag, 1, size, length);
  loops.push_back(length);
  SmallVector<Value> flags;
  for (const Extent &flag : *chosen)
    flags.push_back(e.extents.value(flag));
  Value source = e.value(input);
  DataType type = wide(input.type);
  Tensor result = reduceByIndex(e, loops, input.rank(), type, isProduct ? 1 : 0, [&](Scalars &s, ValueRange x) {
    Scalars indices(s.b);
    Value other = linalg::IndexOp::create(s.b, input.rank()), own = indices.index(0);
    SmallVector<Value> at;
    for (int64_t axis = 0; axis < input.rank(); ++axis) {
      Value here = linalg::IndexOp::create(s.b, axis), isAxis = indices.equal(flags[axis], indices.index(1));
      at.push_back(s.select(isAxis, other, here));
      own = s.select(isAxis, here, own);
    }
    Value before = reverse ? own : other, after = reverse ? other : own;
    Value counts = exclusive ? indices.less(before, after) : indices.lessOrEqual(before, after);
    Value element = s.convert(tensor::ExtractOp::create(s.b, source, at), input.type, type);
    return s.select(counts, isProduct ? s.multiply(x[1], element) : s.add(x[1], element), x[1]);
  });
  call.give(0, e.cast(result, input.type));
  return success();
}

ArrayRef<Operator> onnx::reductionOperators() {
  static constexpr Operator operators[] = {{"ReduceSum", reduce<sumOf>, 1, 2},       {"ReduceMean", reduce<meanOf>, 1, 2},
                                           {"ReduceProd", reduce<productOf>, 1, 2},  {"ReduceMax", reduce<maximumOf>, 1, 2},
                                           {"ReduceMin", reduce<minimumOf>, 1, 2},   {"ReduceSumSquare", reduce<sumSquareOf>, 1, 2},
                                           {"ReduceL1", reduce<l1Of>, 1, 2},         {"ReduceL2", reduce<l2Of>, 1, 2},
                                           {"ReduceLogSum", reduce<logSumOf>, 1, 2}, {"ReduceLogSumExp", reduce<logSumExpOf>, 1, 2},
                                           {"ArgMax", position<true>, 1, 1},         {"ArgMin", position<false>, 1, 1},
                                           {"CumSum", running<false>, 2, 2},         {"CumProd", running<true>, 2, 2}};
  return operators;
}
