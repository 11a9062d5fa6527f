// Elements by their rank or value: TopK, OneHot, NonZero.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Axes.h"
#include "importers/onnx/operators/Sequence.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// The place of every element among those along `axis`, best first, the lower index first among equals.
static Tensor ranks(Emitter &e, const Tensor &input, int64_t axis, bool largest) {
  Shape loops = input.shape;
  loops.push_back(input.shape[axis]);
  Subscripts own, other;
  for (int64_t dim = 0; dim < input.rank(); ++dim) {
    own.push_back(static_cast<int>(dim));
    other.push_back(static_cast<int>(dim == axis ? input.rank() : dim));
  }
  return e.loop({input, input}, {own, other}, loops, input.rank(), DataType::Int64, 0, [&](Scalars &s, ValueRange x) {
    Scalars indices(s.b);
    Value mine = s.convert(x[0], input.type, wide(input.type)), its = s.convert(x[1], input.type, wide(input.type));
    Value isBetter = largest ? s.less(mine, its) : s.less(its, mine);
    Value isEarlier = indices.less(linalg::IndexOp::create(s.b, input.rank()), linalg::IndexOp::create(s.b, axis));
    Value goesFirst = s.either(isBetter, s.both(s.equal(mine, its), isEarlier));
    return indices.add(x[2], arith::ExtUIOp::create(s.b, s.b.getI64Type(), goesFirst));
  });
}

static LogicalResult topK(Call &call) {
  const Tensor &input = call.in(0);
  Emitter &e = call.e;
  FailureOr<int64_t> axis = call.axis(call.integer("axis", -1), input.rank());
  bool largest = call.flag("largest", true);
  call.leaveAside("sorted"); // a sorted answer is right in any case
  auto given = integersOf(call, "k", 1);
  if (failed(axis) || failed(given))
    return failure();
  if (!*given || (*given)->size() != 1)
    return call.refuse("k: expected one number");
  Extent k = (*given)->front();
  const Extent &size = input.shape[*axis];
  if (k.isConstant() && (k.constant() < 0 || (size.isConstant() && k.constant() > size.constant())))
    return call.refuse("k: expected a number from 0 to the size of axis " + Twine(*axis) + ", " + spelled({size}) + ", got " +
                       Twine(k.constant()));
  if (k != size && !(k.isConstant() && size.isConstant())) {
    Scalars s(e.b);
    Value asked = e.extents.value(k);
    e.require(s.both(s.lessOrEqual(s.index(0), asked), s.lessOrEqual(asked, e.extents.value(size))),
              call.place() + ": k is larger than the axis");
    k = e.extents.maximum(k, 0);
  }
  Tensor order = ranks(e, input, *axis, largest);
  // Result j is the element whose rank is j.
  Shape loops = input.shape;
  loops[*axis] = k;
  loops.push_back(size);
  Subscripts from;
  for (int64_t dim = 0; dim < input.rank(); ++dim)
    from.push_back(static_cast<int>(dim == *axis ? input.rank() : dim));
  auto isChosen = [&](Scalars &s, Value rank) {
    Value place = arith::IndexCastOp::create(s.b, s.b.getI64Type(), linalg::IndexOp::create(s.b, *axis));
    return arith::CmpIOp::create(s.b, arith::CmpIPredicate::eq, rank, place);
  };
  call.give(0, e.loop({input, order}, {from, from}, loops, input.rank(), input.type, 0,
                      [&](Scalars &s, ValueRange x) { return s.select(isChosen(s, x[1]), x[0], x[2]); }));
  call.give(1, e.loop({order}, {from}, loops, input.rank(), DataType::Int64, 0, [&](Scalars &s, ValueRange x) {
    Value here = arith::IndexCastOp::create(s.b, s.b.getI64Type(), linalg::IndexOp::create(s.b, input.rank()));
    return s.select(isChosen(s, x[0]), here, x[1]);
  }));
  return success();
}

static LogicalResult oneHot(Call &call) {
  const Tensor &indices = call.in(0), &values = call.in(2);
  Emitter &e = call.e;
  FailureOr<int64_t> axis = call.axis(call.integer("axis", -1), indices.rank() + 1);
  if (failed(axis))
    return failure();
  if (!call.in(1).isStatic() || call.in(1).count() != 1 || values.rank() != 1 ||
      (values.shape[0].isConstant() && !values.shape[0].is(2)))
    return call.refuse("expected one depth and two values");
  Tensor depths = call.in(1);
  Extent depth = e.extents.maximum(e.integers(isInteger(depths.type) ? depths : e.cast(depths, DataType::Int64)).front(), 0);
  Shape shape = indices.shape;
  shape.insert(shape.begin() + *axis, depth);
  Subscripts from;
  for (int64_t dim = 0; dim < indices.rank(); ++dim)
    from.push_back(static_cast<int>(dim < *axis ? dim : dim + 1));
  Value source = e.value(values), size = e.extents.value(depth);
  Value off = tensor::ExtractOp::create(e.b, source, ValueRange{e.extents.value(0)});
  Value on = tensor::ExtractOp::create(e.b, source, ValueRange{e.extents.value(1)});
  Tensor whole = isInteger(indices.type) ? indices : e.cast(indices, DataType::Int64);
  call.give(0, e.loop({whole}, {from}, shape, shape.size(), values.type, std::nullopt, [&](Scalars &s, ValueRange x) {
    Scalars places(s.b);
    Value place = places.toIndex(x[0]), negative = places.less(place, places.index(0));
    place = places.select(negative, places.add(place, size), place);
    return s.select(places.equal(place, linalg::IndexOp::create(s.b, *axis)), on, off);
  }));
  return success();
}

static LogicalResult nonZero(Call &call) {
  const Tensor &input = call.in(0);
  Emitter &e = call.e;
  int64_t rank = std::max<int64_t>(input.rank(), 1);
  Tensor vector = input.rank() ? input : e.reshape(input, {1});
  Extent most = e.extents.product(vector.shape);
  // How many came before is kept behind the places themselves, so that one tensor goes through the loops.
  Shape room = {rank + 1, e.extents.add(most, 1)};
  Value source = e.value(vector), counterRow = e.extents.value(rank), zero = e.extents.value(0);
  Tensor filled =
      inSequence(e, e.filled(room, DataType::Int64, 0), vector.shape, [&](Scalars &s, ValueRange at, Value current) -> Value {
        Value element = tensor::ExtractOp::create(s.b, source, at),
              counter = tensor::ExtractOp::create(s.b, current, ValueRange{counterRow, zero});
        Value place = s.toIndex(counter), isSet = s.convert(element, input.type, DataType::Bool);
        // What is not set is overwritten by the next that is.
        for (int64_t dim = 0; dim < rank; ++dim)
          current = tensor::InsertOp::create(s.b, arith::IndexCastOp::create(s.b, s.b.getI64Type(), at[dim]), current,
                                             ValueRange{s.index(dim), place});
        Value next = s.add(counter, arith::ExtUIOp::create(s.b, s.b.getI64Type(), isSet));
        return tensor::InsertOp::create(s.b, next, current, ValueRange{counterRow, zero});
      });
  Scalars s(e.b);
  Extent count = e.extents.of(s.toIndex(tensor::ExtractOp::create(e.b, filled.value, ValueRange{counterRow, zero})), true);
  call.give(0, e.slice(filled, {0, 0}, {Extent(rank), count}));
  return success();
}

ArrayRef<Operator> onnx::selectionOperators() {
  static constexpr Operator operators[] = {{"TopK", topK, 2, 2, 2}, {"OneHot", oneHot, 3, 3}, {"NonZero", nonZero, 1, 1}};
  return operators;
}
