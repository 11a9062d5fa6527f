// Unpacking by shifts, and the same as moe.dequantize of slices of files.
#include "importers/onnx/operators/Packed.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// Integer `column` of the row of bytes at `row`, as i32.
static Value unpack(Scalars &s, Value bytes, ValueRange row, Value column, int64_t bits, int64_t rowBytes) {
  Value bit = s.multiply(column, s.index(bits)), byte = arith::DivUIOp::create(s.b, bit, s.index(8));
  Value shift = arith::IndexCastOp::create(s.b, s.b.getI32Type(), arith::RemUIOp::create(s.b, bit, s.index(8)));
  auto at = [&](Value index) -> Value {
    SmallVector<Value> place(row);
    place.push_back(index);
    return arith::ExtUIOp::create(s.b, s.b.getI32Type(), tensor::ExtractOp::create(s.b, bytes, place));
  };
  Value word = at(byte);
  if (8 % bits) { // an integer may begin in one byte and end in the next
    Value next = at(s.minimum(s.add(byte, s.index(1)), s.index(rowBytes - 1)));
    word = s.either(word, arith::ShLIOp::create(s.b, next, s.like(next, 8)));
  }
  return s.both(arith::ShRUIOp::create(s.b, word, shift), s.like(word, (1 << bits) - 1));
}

Tensor onnx::dequantized(Emitter &e, const Packed &packed) {
  Shape shape = packed.bytes.shape;
  shape.back() = packed.columns;
  Value bytes = e.value(packed.bytes), scales = e.value(packed.scales), zeros = packed.zero ? e.value(*packed.zero) : Value();
  int64_t rowBytes = packed.bytes.shape.back().constant();
  bool zeroIsPacked = packed.zero && isInteger(packed.zero->type);
  return e.generate(shape, DataType::Float32, [&](Scalars &s, ValueRange index) {
    ValueRange row = index.drop_back();
    Value block = arith::DivUIOp::create(s.b, index.back(), s.index(packed.block));
    SmallVector<Value> at(row);
    at.push_back(block);
    auto number = [&](Value source, DataType type) {
      return s.convert(tensor::ExtractOp::create(s.b, source, at), type, DataType::Float32);
    };
    auto asFloat = [&](Value integer) -> Value { return arith::UIToFPOp::create(s.b, s.b.getF32Type(), integer); };
    Value code = asFloat(unpack(s, bytes, row, index.back(), packed.bits, rowBytes));
    Value zero = !zeros         ? s.number(s.b.getF32Type(), 1 << (packed.bits - 1))
                 : zeroIsPacked ? asFloat(unpack(s, zeros, row, block, packed.bits, packed.zero->shape.back().constant()))
                                : number(zeros, packed.zero->type);
    return s.multiply(s.subtract(code, zero), number(scales, packed.scales.type));
  });
}

Value onnx::weightOperand(Emitter &e, const Tensor &tensor) {
  if (tensor.stored)
    if (moe::WeightOp weight = e.weights.whole(*tensor.stored))
      return moe::GetWeightOp::create(e.b, weight.getType(), weight.getSymName());
  return e.value(tensor);
}

/// Rows of a stored tensor of `entries` matrices (or vectors, of one column), whose elements have `bits`.
static moe::WeightOp declareRows(Emitter &e, const StoredTensor &stored, ArrayRef<int64_t> shape, Type element, int64_t from,
                                 int64_t step, int64_t count) {
  int64_t entries = shape[0], rows = shape[1], columns = shape.size() == 3 ? shape[2] : 1, bits = element.getIntOrFloatBitWidth();
  std::string key = "[" + std::to_string(from) + "::" + std::to_string(step) + "]";
  if (columns * bits % 8)
    return {};
  SmallVector<int64_t> result = {entries, count};
  if (shape.size() == 3)
    result.push_back(columns);
  mlir::Attribute slice;
  int64_t first = from * columns * bits / 8, every = entries > 1 ? rows * columns * bits / 8 : 0;
  if (shape.size() == 2) // one matrix of entries x rows
    slice = e.weights.slice(stored, first, entries, 1, 0, rows, step);
  else if (step == 1)
    slice = e.weights.slice(stored, first, 1, entries, every);
  else
    slice = e.weights.slice(stored, first, 1, entries, every, step * columns, 1);
  return e.weights.declare(stored, key, RankedTensorType::get(result, element), slice);
}

Value onnx::rowsOfEntries(Emitter &e, const Tensor &tensor, int64_t from, int64_t step, int64_t count) {
  if (from == 0 && step == 1 && tensor.shape[1].is(count))
    return weightOperand(e, tensor);
  if (tensor.stored) {
    SmallVector<int64_t> shape = llvm::map_to_vector(tensor.shape, [](const Extent &size) { return size.constant(); });
    if (moe::WeightOp weight = declareRows(e, *tensor.stored, shape, e.elementType(tensor.stored->type), from, step, count))
      return moe::GetWeightOp::create(e.b, weight.getType(), weight.getSymName());
  }
  if (step == 1)
    return e.sliceAxis(tensor, 1, from, count).value;
  Shape split = {tensor.shape[0], count, step}, joined = {tensor.shape[0], count};
  if (tensor.rank() == 3) {
    split.push_back(tensor.shape[2]);
    joined.push_back(tensor.shape[2]);
  }
  return e.value(e.reshape(e.sliceAxis(e.reshape(tensor, split), 2, from, 1), joined));
}

Value onnx::dequantizedWeight(Emitter &e, const Packed &packed, int64_t from, int64_t step, int64_t count) {
  const Tensor &bytes = packed.bytes, &scales = packed.scales;
  if (packed.zero || (packed.bits != 4 && packed.bits != 8) || !bytes.stored || !scales.stored || bytes.type != DataType::UInt8 ||
      !isFloat(scales.type) || scales.rank() != bytes.rank())
    return {};
  bool isWhole = from == 0 && step == 1 && bytes.shape[bytes.rank() - 2].is(count);
  Type element = e.b.getIntegerType(packed.bits, /*isSigned=*/false);
  SmallVector<int64_t> shape = llvm::map_to_vector(bytes.shape, [](const Extent &size) { return size.constant(); });
  SmallVector<int64_t> grid = llvm::map_to_vector(scales.shape, [](const Extent &size) { return size.constant(); });
  shape.back() = packed.columns;
  if (packed.columns * packed.bits % 8)
    return {};
  auto declare = [&](const StoredTensor &stored, ArrayRef<int64_t> of, Type type) {
    return isWhole ? e.weights.declare(stored, "", RankedTensorType::get(of, type), e.weights.slice(stored, 0, of.front()))
                   : declareRows(e, stored, of, type, from, step, count);
  };
  moe::WeightOp values = declare(*bytes.stored, shape, element);
  moe::WeightOp factors = values ? declare(*scales.stored, grid, e.elementType(scales.stored->type)) : moe::WeightOp();
  if (!factors)
    return {};
  auto format = moe::NumberFormatAttr::get(e.b.getContext(), 1, packed.block, 1 << (packed.bits - 1), false, 0, 0);
  Value stored = moe::GetWeightOp::create(e.b, values.getType(), values.getSymName());
  Value factor = moe::GetWeightOp::create(e.b, factors.getType(), factors.getSymName()), none;
  return moe::DequantizeOp::create(e.b, moe::dequantizedType(stored.getType()), stored, factor, none, none, format);
}
