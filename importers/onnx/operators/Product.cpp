// Products of matrices and of tensors in Einstein's notation.
#include "importers/onnx/operators/Product.h"
#include "importers/onnx/Operators.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// A plain product of two matrices, as the op that says so.
static Tensor matrixProduct(Emitter &e, const Tensor &a, const Tensor &b, DataType type) {
  Shape shape = {a.shape[0], b.shape[1]};
  Value out = e.filled(shape, type, 0).value;
  Value product = linalg::MatmulOp::create(e.b, out.getType(), ValueRange{e.value(a), e.value(b)}, ValueRange{out}).getResult(0);
  return e.tensor(product, type, shape);
}

FailureOr<Tensor> onnx::product(Call &call, Tensor a, Tensor b, DataType type) {
  if (a.rank() == 0 || b.rank() == 0)
    return call.refuse("expected at least one dimension each, got scalars");
  Emitter &e = call.e;
  bool aIsVector = a.rank() == 1, bIsVector = b.rank() == 1;
  if (aIsVector)
    a = e.reshape(a, {Extent(1), a.shape[0]});
  if (bIsVector)
    b = e.reshape(b, {b.shape[0], Extent(1)});
  const Extent &inner = a.shape.back(), &rows = b.shape[b.rank() - 2];
  if (inner.isConstant() && rows.isConstant() && inner != rows)
    return call.refuse("expected inner dimensions that agree, got " + spelled(a.shape) + " and " + spelled(b.shape));
  e.requireEqual(inner, rows, call.place() + ": inner dimensions differ");
  if (b.rank() == 2 && a.rank() > 2) { // all rows of a at once
    Shape shape = a.shape;
    Extent all = e.extents.product(ArrayRef<Extent>(shape).drop_back());
    FailureOr<Tensor> flat = product(call, e.reshape(a, {all, a.shape.back()}), b, type);
    if (failed(flat))
      return failure();
    shape.back() = b.shape.back();
    if (bIsVector)
      shape.pop_back();
    return e.reshape(*flat, shape);
  }
  Tensor batchA, batchB; // only for their shapes
  batchA.shape.assign(a.shape.begin(), a.shape.end() - 2);
  batchB.shape.assign(b.shape.begin(), b.shape.end() - 2);
  FailureOr<Shape> batch = call.broadcastShape({batchA, batchB});
  if (failed(batch))
    return failure();
  auto withBatch = [&](const Tensor &tensor) {
    // Sizes of which it is not known whether they are 1 are expanded first.
    Shape shape = tensor.shape;
    int64_t lead = static_cast<int64_t>(batch->size()) - (tensor.rank() - 2);
    for (int64_t axis = 0; axis < tensor.rank() - 2; ++axis)
      if (shape[axis] != (*batch)[lead + axis] && !shape[axis].is(1))
        shape[axis] = (*batch)[lead + axis];
    return e.expand(tensor, shape);
  };
  a = withBatch(a);
  b = withBatch(b);
  Tensor result;
  if (a.rank() == 2 && b.rank() == 2 && a.type == type && b.type == type && type == DataType::Float32) {
    result = matrixProduct(e, a, b, type);
  } else {
    auto lead = static_cast<int>(batch->size());
    Shape loops = *batch;
    loops.append({a.shape[a.rank() - 2], b.shape.back(), a.shape.back()});
    auto subscripts = [&](const Tensor &tensor, int row, int column) {
      Subscripts of;
      for (int64_t axis = 0; axis < tensor.rank() - 2; ++axis) {
        int loop = lead - static_cast<int>(tensor.rank() - 2) + static_cast<int>(axis);
        of.push_back(tensor.shape[axis] == (*batch)[loop] ? loop : broadcast);
      }
      of.append({row, column});
      return of;
    };
    result = e.contract(a, subscripts(a, lead, lead + 2), b, subscripts(b, lead + 2, lead + 1), loops, lead + 2, type);
  }
  Shape shape = *batch;
  if (!aIsVector)
    shape.push_back(a.shape[a.rank() - 2]);
  if (!bIsVector)
    shape.push_back(b.shape.back());
  return e.reshape(result, shape);
}

static LogicalResult matMul(Call &call) {
  if (failed(call.sameType(0, 1)))
    return failure();
  FailureOr<Tensor> result = product(call, call.in(0), call.in(1), call.in(0).type);
  if (failed(result))
    return failure();
  call.give(0, *result);
  return success();
}

/// The tensor with its last two dimensions swapped.
static Tensor transposed(Emitter &e, const Tensor &tensor) {
  SmallVector<int64_t> permutation;
  for (int64_t axis = 0; axis < tensor.rank(); ++axis)
    permutation.push_back(axis);
  std::swap(permutation[tensor.rank() - 1], permutation[tensor.rank() - 2]);
  return e.transpose(tensor, permutation);
}

static LogicalResult gemm(Call &call) {
  Emitter &e = call.e;
  Tensor a = call.in(0), b = call.in(1);
  double alpha = call.number("alpha", 1), beta = call.number("beta", 1);
  bool turnA = call.flag("transA"), turnB = call.flag("transB");
  if (a.rank() != 2 || b.rank() != 2 || failed(call.sameType(0, 1)))
    return call.refuse("expected two matrices, got " + spelled(a.shape) + " and " + spelled(b.shape));
  FailureOr<Tensor> result = product(call, turnA ? transposed(e, a) : a, turnB ? transposed(e, b) : b, a.type);
  if (failed(result))
    return failure();
  SmallVector<Tensor, 2> inputs = {*result};
  if (call.has(2))
    inputs.push_back(call.in(2));
  else if (alpha == 1) {
    call.give(0, *result);
    return success();
  }
  return call.elementwise(inputs, [&](Scalars &s, ValueRange x) {
    Value scaled = alpha == 1 ? x[0] : s.multiply(x[0], s.like(x[0], alpha));
    return call.has(2) ? s.add(scaled, beta == 1 ? x[1] : s.multiply(x[1], s.like(x[1], beta))) : scaled;
  });
}

static LogicalResult fusedMatMul(Call &call) {
  Emitter &e = call.e;
  double alpha = call.number("alpha", 1);
  Tensor a = call.in(0), b = call.in(1);
  bool turnA = call.flag("transA"), turnB = call.flag("transB");
  if (call.flag("transBatchA") || call.flag("transBatchB"))
    return call.refuse("attribute 'transBatchA': expected 0 there and in 'transBatchB'");
  if (a.rank() < 2 || b.rank() < 2)
    return call.refuse("expected matrices, got " + spelled(a.shape) + " and " + spelled(b.shape));
  // A weight stored row by row of the result is what moe.linear reads.
  if (turnB && !turnA && b.stored && b.rank() == 2 && a.type == DataType::Float32 && a.shape.back() == b.shape[1] && b.isStatic() &&
      b.count() > 0)
    if (moe::WeightOp weight = e.weights.whole(*b.stored)) {
      int64_t width = b.shape[0].constant();
      Value rows = e.rows(a, b.shape[1].constant());
      auto type = RankedTensorType::get({ShapedType::kDynamic, width}, e.b.getF32Type());
      Value matrix = moe::GetWeightOp::create(e.b, weight.getType(), weight.getSymName()), none;
      Shape shape = a.shape;
      shape.back() = width;
      Tensor linear = e.fromRows(moe::LinearOp::create(e.b, type, rows, matrix, none, none), shape, a.type);
      return call.elementwise({linear},
                              [&](Scalars &s, ValueRange x) { return alpha == 1 ? x[0] : s.multiply(x[0], s.like(x[0], alpha)); });
    }
  FailureOr<Tensor> result = product(call, turnA ? transposed(e, a) : a, turnB ? transposed(e, b) : b, a.type);
  if (failed(result))
    return failure();
  return call.elementwise({*result}, [&](Scalars &s, ValueRange x) { return s.multiply(x[0], s.like(x[0], alpha)); });
}

/// Integers less their zero points, as int32.
static FailureOr<Tensor> centered(Call &call, const Tensor &values, size_t zeroPoint, bool isLeft) {
  Tensor wider = call.e.cast(values, DataType::Int32);
  if (!call.has(zeroPoint))
    return wider;
  Tensor zero = call.e.cast(call.in(zeroPoint), DataType::Int32);
  if (isLeft && zero.rank() == 1 && !zero.shape[0].is(1)) // one for each row
    zero = call.e.reshape(zero, {zero.shape[0], Extent(1)});
  FailureOr<Shape> shape = call.broadcastShape({wider, zero});
  if (failed(shape))
    return failure();
  return call.e.map({wider, zero}, *shape, DataType::Int32, [](Scalars &s, ValueRange x) { return s.subtract(x[0], x[1]); });
}

static LogicalResult matMulInteger(Call &call) {
  FailureOr<Tensor> a = centered(call, call.in(0), 2, true), b = centered(call, call.in(1), 3, false);
  if (failed(a) || failed(b))
    return failure();
  FailureOr<Tensor> result = product(call, *a, *b, DataType::Int32);
  if (failed(result))
    return failure();
  call.give(0, *result);
  return success();
}

/// For each row, its product with the matrices of the groups that it names: [M, K], [G, K, N], [M, k] to [M, k, N].
static LogicalResult groupedMatMul(Call &call) {
  const Tensor &input = call.in(0), &weights = call.in(1), &groups = call.in(2);
  Emitter &e = call.e;
  if (input.rank() != 2 || weights.rank() != 3 || groups.rank() != 2 || !isInteger(groups.type))
    return call.refuse("expected [M, K], [G, K, N] and integers [M, k], got " + spelled(input.shape) + ", " +
                       spelled(weights.shape) + " and " + spelled(groups.shape));
  if (input.shape[1].isConstant() && weights.shape[1].isConstant() && input.shape[1] != weights.shape[1])
    return call.refuse("expected inner dimensions that agree, got " + spelled(input.shape) + " and " + spelled(weights.shape));
  e.requireEqual(input.shape[1], weights.shape[1], call.place() + ": inner dimensions differ");
  e.requireEqual(input.shape[0], groups.shape[0], call.place() + ": expected groups for every row");
  Shape loops = {input.shape[0], groups.shape[1], weights.shape[2], input.shape[1]};
  Value source = e.value(weights), biases = call.has(3) ? e.value(call.in(3)) : Value();
  Value last = e.extents.value(e.extents.subtract(weights.shape[0], 1));
  auto group = [&](Scalars &s, Value index) {
    Scalars indices(s.b);
    return indices.maximum(indices.minimum(indices.toIndex(index), last), indices.index(0));
  };
  DataType type = wide(input.type);
  Tensor result = e.loop({input, groups}, {{0, 3}, {0, 1}}, loops, 3, type, 0, [&](Scalars &s, ValueRange x) {
    Value at[] = {group(s, x[1]), linalg::IndexOp::create(s.b, 3), linalg::IndexOp::create(s.b, 2)};
    Value weight = tensor::ExtractOp::create(s.b, source, at);
    return s.add(x[2], s.multiply(s.convert(x[0], input.type, type), s.convert(weight, weights.type, type)));
  });
  Shape shape(loops.begin(), loops.begin() + 3);
  if (biases)
    result = e.loop({result, groups}, {{0, 1, 2}, {0, 1}}, shape, 3, type, std::nullopt, [&](Scalars &s, ValueRange x) {
      Value at[] = {group(s, x[1]), linalg::IndexOp::create(s.b, 2)};
      return s.add(x[0], s.convert(tensor::ExtractOp::create(s.b, biases, at), call.in(3).type, type));
    });
  call.give(0, e.cast(result, input.type));
  return success();
}

ArrayRef<Operator> onnx::productOperators() {
  static constexpr Operator operators[] = {{"MatMul", matMul, 2, 2},
                                           {"Gemm", gemm, 2, 3},
                                           {"MatMulInteger", matMulInteger, 2, 4},
                                           {"GroupedMatMul", groupedMatMul, 3, 4, 1, 29}};
  return operators;
}

ArrayRef<Operator> onnx::fusedProductOperators() {
  static constexpr Operator operators[] = {{"FusedMatMul", fusedMatMul, 2, 2}};
  return operators;
}
