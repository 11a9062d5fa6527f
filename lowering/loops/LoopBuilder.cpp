// Builds loops over tensors: structured operations whose bodies are written with numbers.
#include "lowering/loops/LoopBuilder.h"

#include "lowering/kernel/NumberFormat.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec::lowering;

static RankedTensorType typeOf(Value tensor) { return cast<RankedTensorType>(tensor.getType()); }

Number LoopBuilder::index(int64_t value) { return {*this, arith::ConstantIndexOp::create(*this, value)}; }
Number LoopBuilder::sizeOf(Value tensor, int64_t dim) { return {*this, createOrFold<tensor::DimOp>(tensor, dim)}; }
Number LoopBuilder::real(double value) { return {*this, arith::ConstantOp::create(*this, getF32FloatAttr(float(value)))}; }

Value LoopBuilder::empty(Value rows, ArrayRef<int64_t> sizes, Type element) {
  SmallVector<OpFoldResult> all;
  if (rows)
    all.push_back(rows);
  for (int64_t size : sizes)
    all.push_back(getIndexAttr(size));
  return empty(all, element);
}

Value LoopBuilder::empty(ArrayRef<OpFoldResult> sizes, Type element) { return tensor::EmptyOp::create(*this, sizes, element); }

Value LoopBuilder::fill(Value tensor, double value) {
  Type element = typeOf(tensor).getElementType();
  TypedAttr attr = isa<FloatType>(element) ? TypedAttr(getFloatAttr(element, value)) : getIntegerAttr(element, int64_t(value));
  Value scalar = arith::ConstantOp::create(*this, attr);
  return linalg::FillOp::create(*this, ValueRange(scalar), ValueRange(tensor)).getResult(0);
}

Value LoopBuilder::generic(Value result, ArrayRef<Operand> operands, Operand initial, Body body) {
  unsigned loops = 0;
  SmallVector<Value> inputs;
  SmallVector<Operand> all(operands);
  all.push_back(initial);
  for (const Operand &operand : all)
    for (unsigned loop : operand.loops)
      loops = std::max(loops, loop + 1);
  SmallVector<AffineMap> maps;
  for (const Operand &operand : all) {
    SmallVector<AffineExpr> dims;
    for (unsigned loop : operand.loops)
      dims.push_back(getAffineDimExpr(loop));
    maps.push_back(AffineMap::get(loops, 0, dims, getContext()));
  }
  for (const Operand &operand : operands)
    inputs.push_back(operand.tensor);
  SmallVector<utils::IteratorType> iterators(loops, utils::IteratorType::reduction);
  for (unsigned loop : initial.loops)
    iterators[loop] = utils::IteratorType::parallel;
  auto op = linalg::GenericOp::create(*this, TypeRange(result.getType()), inputs, ValueRange(result), maps, iterators,
                                      [&](OpBuilder &nested, Location location, ValueRange values) {
                                        ImplicitLocOpBuilder inner(location, nested);
                                        SmallVector<Number> numbers;
                                        for (Value value : values)
                                          numbers.emplace_back(inner, value);
                                        linalg::YieldOp::create(inner, body(numbers).value);
                                      });
  return op.getResult(0);
}

Value LoopBuilder::map(Value shape, ArrayRef<Operand> operands, Body body) {
  Operand initial{shape, {}};
  for (unsigned dim = 0; dim < unsigned(typeOf(shape).getRank()); ++dim)
    initial.loops.push_back(dim);
  return generic(shape, operands, initial, body);
}

Value LoopBuilder::reduce(Operand initial, ArrayRef<Operand> operands, Body body) {
  return generic(initial.tensor, operands, initial, body);
}

Value LoopBuilder::product(Value x, Value matrix, Value initial) {
  auto body = [](ArrayRef<Number> e) { return e[2] + e[0] * realOf(e[1]); };
  if (typeOf(x).getRank() == 1)
    return reduce({initial, {0}}, {{x, {1}}, {matrix, {0, 1}}}, body);
  return reduce({initial, {0, 1}}, {{x, {0, 2}}, {matrix, {1, 2}}}, body);
}

Number LoopBuilder::loopIndex(int64_t loop) { return {*this, linalg::IndexOp::create(*this, loop)}; }

void LoopBuilder::require(Number condition, const Twine &message) { cf::AssertOp::create(*this, condition, message.str()); }

Number LoopBuilder::at(Value tensor, ArrayRef<Number> indices) {
  SmallVector<Value> values(indices);
  return {*this, tensor::ExtractOp::create(*this, tensor, values)};
}

Value LoopBuilder::put(Number value, Value tensor, ArrayRef<Number> indices) {
  SmallVector<Value> values(indices);
  return tensor::InsertOp::create(*this, value.value, tensor, values);
}

/// Where entry `index` of `tensor` lies in it.
static void placeOf(LoopBuilder &b, Value tensor, Number index, SmallVectorImpl<OpFoldResult> &offsets,
                    SmallVectorImpl<OpFoldResult> &sizes, SmallVectorImpl<OpFoldResult> &strides) {
  auto type = typeOf(tensor);
  offsets.assign(size_t(type.getRank()), b.getIndexAttr(0));
  strides.assign(size_t(type.getRank()), b.getIndexAttr(1));
  offsets[0] = index.value;
  sizes.push_back(b.getIndexAttr(1));
  for (int64_t dim : type.getShape().drop_front())
    sizes.push_back(b.getIndexAttr(dim));
}

Value LoopBuilder::entry(Value tensor, Number index) {
  SmallVector<OpFoldResult> offsets, sizes, strides;
  placeOf(*this, tensor, index, offsets, sizes, strides);
  auto type = RankedTensorType::get(typeOf(tensor).getShape().drop_front(), typeOf(tensor).getElementType());
  return tensor::ExtractSliceOp::create(*this, type, tensor, offsets, sizes, strides);
}

Value LoopBuilder::putEntry(Value entry, Value tensor, Number index) {
  SmallVector<OpFoldResult> offsets, sizes, strides;
  placeOf(*this, tensor, index, offsets, sizes, strides);
  return tensor::InsertSliceOp::create(*this, entry, tensor, offsets, sizes, strides);
}

LoopBuilder::Values LoopBuilder::forRange(Number count, ValueRange initial, llvm::function_ref<Values(Number, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, index(0), count.value, index(1), initial);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Values results = body(number(loop.getInductionVar()), loop.getRegionIterArgs());
  if (!initial.empty())
    scf::YieldOp::create(*this, results);
  return Values(loop.getResults());
}

Number moec::lowering::realOf(Number stored) {
  Type element = stored.type();
  if (element.getIntOrFloatBitWidth() == 8)
    return toReal(isa<FloatType>(element) ? stored.bitsAs(stored.builder->getI8Type()) : stored, element);
  return widen(stored);
}
