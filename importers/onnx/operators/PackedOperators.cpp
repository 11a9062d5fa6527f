// Products with and rows of matrices of few bits: MatMulNBits as moe.linear, GatherBlockQuantized as moe.embed.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Indices.h"
#include "importers/onnx/operators/Packed.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// The same bytes in another shape; a stored tensor stays stored.
static Tensor reshaped(Emitter &e, const Tensor &tensor, ArrayRef<Extent> shape) {
  if (!tensor.stored)
    return e.reshape(tensor, shape);
  Tensor result = tensor;
  result.shape.assign(shape.begin(), shape.end());
  result.elements.reset();
  return result;
}

/// Stored tensors whose shape differs from the file's are read as the file has them, then reshaped.
static Tensor readable(Emitter &e, const Tensor &tensor) {
  if (!tensor.stored || llvm::equal(tensor.shape, tensor.stored->dims, [](const Extent &a, int64_t b) { return a.is(b); }))
    return tensor;
  Tensor original = tensor;
  original.shape.assign(tensor.stored->dims.begin(), tensor.stored->dims.end());
  return e.reshape(original, tensor.shape);
}

static Value weightOf(Emitter &e, const Packed &packed, int64_t rows) {
  if (Value weight = dequantizedWeight(e, packed, 0, 1, rows))
    return weight;
  Packed read = packed;
  read.bytes = readable(e, packed.bytes);
  read.scales = readable(e, packed.scales);
  if (packed.zero)
    read.zero = readable(e, *packed.zero);
  return e.value(dequantized(e, read));
}

static LogicalResult matMulNBits(Call &call) {
  const Tensor &input = call.in(0), &bytes = call.in(1), &scales = call.in(2);
  Emitter &e = call.e;
  for (StringRef name : {"K", "N", "block_size"})
    if (!call.hasAttribute(name))
      return call.refuse("attribute '" + name + "': expected it to be given");
  int64_t columns = call.integer("K", 0), rows = call.integer("N", 0), block = call.integer("block_size", 0),
          bits = call.integer("bits", 4);
  call.leaveAside("accuracy_level");
  if (call.integer("weight_prepacked", 0))
    return call.refuse("attribute 'weight_prepacked': expected 0: the bytes are in the own layout of one execution provider");
  constexpr int64_t most = INT32_MAX;
  if (columns < 1 || columns > most || rows < 1 || rows > most || block < 16 || block > most || !llvm::isPowerOf2_64(block))
    return call.refuse(
        "attributes 'K', 'N' and 'block_size': expected positive numbers, and blocks of a power of 2 of at least 16");
  if (bits != 2 && bits != 3 && bits != 4 && bits != 8)
    return call.refuse("attribute 'bits': expected 2, 3, 4 or 8, got " + Twine(bits));
  int64_t blocks = llvm::divideCeil(columns, block), blockBytes = block * bits / 8;
  if (bytes.type != DataType::UInt8 || bytes.shape != Shape{rows, blocks, blockBytes})
    return call.refuse("B: expected uint8 " + spelled(Shape{rows, blocks, blockBytes}) + ", got " + nameOf(bytes.type) + " " +
                       spelled(bytes.shape));
  if (!isFloat(scales.type) || !scales.isStatic() || scales.count() != rows * blocks)
    return call.refuse("scales: expected " + spelled(Shape{rows, blocks}) + " floats, got " + nameOf(scales.type) + " " +
                       spelled(scales.shape));
  if (!input.rank() || !input.shape.back().is(columns))
    return call.refuse("A: expected " + Twine(columns) + " columns as 'K' says, got " + spelled(input.shape));
  if (call.has(4))
    return call.refuse("g_idx: groups of columns in another order are not supported");
  Packed packed{
      reshaped(e, bytes, {rows, blocks * blockBytes}), reshaped(e, scales, {rows, blocks}), std::nullopt, bits, columns, block};
  // Rows end with whole blocks; what is beyond the columns is never read.
  if (columns % block)
    packed.bytes = e.value(bytes) ? e.reshape(bytes, {rows, blocks * blockBytes}) : packed.bytes;
  if (call.has(3)) {
    const Tensor &zero = call.in(3);
    int64_t zeroColumns = isInteger(zero.type) ? llvm::divideCeil(blocks * bits, 8) : blocks;
    if (!zero.isStatic() || zero.count() != rows * zeroColumns)
      return call.refuse("zero_points: expected " + spelled(Shape{rows, zeroColumns}) + ", got " + spelled(zero.shape));
    packed.zero = reshaped(e, zero, {rows, zeroColumns});
  }
  Value bias;
  if (call.has(5)) {
    if (call.in(5).shape != Shape{rows})
      return call.refuse("bias: expected " + Twine(rows) + " numbers, got " + spelled(call.in(5).shape));
    bias = weightOperand(e, call.in(5));
  }
  Value weight = weightOf(e, packed, rows), matrix = e.rows(input, columns), none;
  auto type = RankedTensorType::get({ShapedType::kDynamic, rows}, e.b.getF32Type());
  Shape shape = input.shape;
  shape.back() = rows;
  call.give(0, e.fromRows(moe::LinearOp::create(e.b, type, matrix, weight, bias, none), shape, input.type));
  return success();
}

static LogicalResult gatherBlockQuantized(Call &call) {
  const Tensor &bytes = call.in(0), &indices = call.in(1), &scales = call.in(2);
  Emitter &e = call.e;
  int64_t bits = call.integer("bits", 4), block = call.integer("block_size", 128);
  int64_t gatherAxis = call.integer("gather_axis", 0), quantizedAxis = call.integer("quantize_axis", 1);
  if (gatherAxis != 0 || (quantizedAxis != 1 && quantizedAxis != -1) || bytes.rank() != 2 || !bytes.isStatic() ||
      bytes.type != DataType::UInt8)
    return call.refuse("expected rows of a matrix of uint8, quantised along its columns");
  if ((bits != 2 && bits != 4 && bits != 8) || block < 16 || !llvm::isPowerOf2_64(block))
    return call.refuse("attributes 'bits' and 'block_size': expected 2, 4 or 8 bits and blocks of a power of 2 of at least 16");
  int64_t rows = bytes.shape[0].constant(), columns = bytes.shape[1].constant() * 8 / bits,
          blocks = llvm::divideCeil(columns, block);
  if (scales.shape != Shape{rows, blocks})
    return call.refuse("scales: expected " + spelled(Shape{rows, blocks}) + ", got " + spelled(scales.shape));
  Packed packed{bytes, scales, std::nullopt, bits, columns, block};
  if (call.has(3)) {
    const Tensor &zero = call.in(3);
    if (zero.type != DataType::UInt8 || zero.shape != Shape{rows, static_cast<int64_t>(llvm::divideCeil(blocks * bits, 8))})
      return call.refuse("zero_points: expected one for each block, got " + spelled(zero.shape));
    packed.zero = zero;
  }
  if (failed(checkIndices(call, indices, rows)))
    return failure();
  Value size = e.extents.value(rows);
  Extent count = e.extents.product(indices.shape);
  Tensor flat = e.reshape(indices, {count});
  Tensor ids = e.loop({flat}, {{0}}, {count}, 1, DataType::Int32, std::nullopt, [&](Scalars &s, ValueRange x) -> Value {
    return arith::IndexCastOp::create(s.b, s.b.getI32Type(), fromFront(s, x[0], size));
  });
  auto idsType = RankedTensorType::get({ShapedType::kDynamic}, e.b.getI32Type());
  Value tokens = ids.value.getType() == idsType ? ids.value : Value(tensor::CastOp::create(e.b, idsType, ids.value));
  auto type = RankedTensorType::get({ShapedType::kDynamic, columns}, e.b.getF32Type());
  Value embedded = moe::EmbedOp::create(e.b, type, tokens, weightOf(e, packed, rows));
  Shape shape = indices.shape;
  shape.push_back(columns);
  call.give(0, e.fromRows(embedded, shape, scales.type));
  return success();
}

ArrayRef<Operator> onnx::matMulNBitsOperators() {
  static constexpr Operator operators[] = {{"MatMulNBits", matMulNBits, 3, 6},
                                           {"GatherBlockQuantized", gatherBlockQuantized, 3, 4}};
  return operators;
}
