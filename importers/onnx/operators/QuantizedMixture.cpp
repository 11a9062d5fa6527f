// com.microsoft's QMoE: experts whose weights are integers or floats of few bits with scales.
#include "importers/onnx/operators/Mixture.h"
#include "importers/onnx/operators/Packed.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// Integers of 2, 3, 4 or 8 bits with a scale for each row or block of it.
static FailureOr<Projection> packedProjection(Call &call, size_t place, size_t zeroPlace, StringRef name, int64_t bits,
                                              int64_t block) {
  if (!call.has(place) || !call.has(place + 1))
    return call.refuse(name + "_scales: expected weights and scales");
  const Tensor &bytes = call.in(place);
  const Tensor &scales = call.in(place + 1);
  if (bytes.rank() != 3 || !bytes.isStatic() || bytes.type != DataType::UInt8)
    return call.refuse(name + ": expected weights [experts, rows, bytes] of uint8, got " + nameOf(bytes.type) + " " +
                       spelled(bytes.shape));
  int64_t experts = bytes.shape[0].constant(), rows = bytes.shape[1].constant(), columns = bytes.shape[2].constant() * 8 / bits;
  int64_t blocks = block ? llvm::divideCeil(columns, block) : 1;
  Shape grid = {experts, rows, blocks}, byRow = {experts, rows};
  if (scales.shape != grid && !(!block && scales.shape == byRow))
    return call.refuse(name + "_scales: expected scales " + spelled(grid) + ", got " + spelled(scales.shape));
  Emitter &e = call.e;
  Packed packed{bytes, scales, std::nullopt, bits, columns, block ? block : columns};
  if (scales.rank() == 2) { // the same bytes
    packed.scales.shape.push_back(1);
    if (!scales.stored)
      packed.scales = e.reshape(scales, grid);
  }
  if (call.has(zeroPlace)) {
    const Tensor &zero = call.in(zeroPlace);
    int64_t zeroBytes = llvm::divideCeil(blocks * bits, 8);
    if (zero.type != DataType::UInt8 || !zero.isStatic())
      return call.refuse(name + "_zero_points: expected uint8");
    // Without blocks, the zero points of all rows are one stream.
    if (!block && zero.rank() == 2) {
      Packed ofRows{zero,
                    e.filled({experts, Extent(1)}, DataType::Float32, 1),
                    e.filled({experts, Extent(1)}, DataType::Float32, 0),
                    bits,
                    rows,
                    rows};
      if (zero.shape[0] != Extent(experts) || zero.shape[1].constant() * 8 < rows * bits)
        return call.refuse(name + "_zero_points: expected one for each row");
      packed.zero = e.reshape(dequantized(e, ofRows), grid);
    } else if (zero.shape != Shape{experts, rows, zeroBytes}) {
      return call.refuse(name + "_zero_points: expected " + spelled(Shape{experts, rows, zeroBytes}) + ", got " +
                         spelled(zero.shape));
    } else {
      packed.zero = zero;
    }
  }
  return Projection{experts, rows, columns, [&e, packed](int64_t from, int64_t step, int64_t count) {
                      if (Value weight = dequantizedWeight(e, packed, from, step, count))
                        return weight;
                      Packed read = packed;
                      if (read.scales.stored && read.scales.shape.size() != read.scales.stored->dims.size()) {
                        Tensor stored = read.scales;
                        stored.shape.pop_back();
                        read.scales = e.reshape(stored, packed.scales.shape);
                      }
                      return rowsOfEntries(e, dequantized(e, read), from, step, count);
                    }};
}

/// Floats of 8 bits with a scale for each expert or for each block, or of 4 bits as [experts, columns, rows / 2].
static FailureOr<Projection> floatProjection(Call &call, size_t place, size_t globalPlace, StringRef name, StringRef kind,
                                             int64_t block) {
  if (!call.has(place))
    return call.refuse(name + ": expected weights");
  const Tensor &stored = call.in(place);
  Emitter &e = call.e;
  bool isFour = kind != "fp8";
  if (stored.rank() != 3 || !stored.isStatic() || stored.type != (isFour ? DataType::UInt8 : DataType::Float8E4M3FN))
    return call.refuse(name + ": expected weights of " +
                       (isFour ? "uint8 [experts, columns, rows / 2]" : "float8e4m3fn [experts, rows, columns]") + ", got " +
                       nameOf(stored.type) + " " + spelled(stored.shape));
  int64_t experts = stored.shape[0].constant(), rows = isFour ? stored.shape[2].constant() * 2 : stored.shape[1].constant();
  int64_t columns = isFour ? stored.shape[1].constant() : stored.shape[2].constant();
  std::optional<Tensor> scales, global;
  if (call.has(place + 1))
    scales = call.in(place + 1);
  if (call.has(globalPlace))
    global = call.in(globalPlace);
  int64_t blockRows = isFour ? 1 : block;
  if (scales && (block < 1 || scales->shape != Shape{experts, static_cast<int64_t>(llvm::divideCeil(rows, blockRows)),
                                                     static_cast<int64_t>(llvm::divideCeil(columns, block))}))
    return call.refuse(name + "_scales: expected a scale for each block of " + Twine(block) + ", got " + spelled(scales->shape));
  if (global && global->shape != Shape{experts})
    return call.refuse(name + "_global_scale: expected " + Twine(experts) + ", got " + spelled(global->shape));
  if ((isFour && !scales) || !(scales || global))
    return call.refuse(name + "_scales: expected scales");
  Value source = e.value(stored), factors = scales ? e.value(*scales) : Value(), overall = global ? e.value(*global) : Value();
  Shape shape = {experts, rows, columns};
  Tensor numbers = e.generate(shape, DataType::Float32, [&](Scalars &s, ValueRange at) {
    Value element;
    if (isFour) {
      Value pair[] = {at[0], at[2], arith::DivUIOp::create(s.b, at[1], s.index(2))};
      Value byte = tensor::ExtractOp::create(s.b, source, pair), isHigh = arith::RemUIOp::create(s.b, at[1], s.index(2));
      Value high = arith::ShRUIOp::create(s.b, byte, s.like(byte, 4));
      element = s.convert(arith::BitcastOp::create(s.b, Float4E2M1FNType::get(s.b.getContext()),
                                                   arith::TruncIOp::create(s.b, s.b.getIntegerType(4),
                                                                           s.select(s.equal(isHigh, s.index(0)), byte, high))),
                          DataType::Float4E2M1, DataType::Float32);
    } else {
      element = s.convert(tensor::ExtractOp::create(s.b, source, at), stored.type, DataType::Float32);
    }
    if (factors) {
      Value place[] = {at[0], arith::DivUIOp::create(s.b, at[1], s.index(blockRows)),
                       arith::DivUIOp::create(s.b, at[2], s.index(block))};
      element = s.multiply(element, s.convert(tensor::ExtractOp::create(s.b, factors, place), scales->type, DataType::Float32));
    }
    if (overall)
      element = s.multiply(element, s.convert(tensor::ExtractOp::create(s.b, overall, at[0]), global->type, DataType::Float32));
    return element;
  });
  return Projection{experts, rows, columns, [&e, numbers](int64_t from, int64_t step, int64_t count) {
                      return rowsOfEntries(e, numbers, from, step, count);
                    }};
}

LogicalResult onnx::quantizedMixture(Call &call) {
  FailureOr<Mixture> mixture = readMixture(call);
  if (failed(mixture))
    return failure();
  StringRef kind = call.text("quant_type", "int");
  int64_t bits = call.integer("expert_weight_bits", 4), block = call.integer("block_size", 0);
  call.leaveAside("accuracy_level");
  if (int64_t prepacked = call.integer("weights_prepacked", 0); prepacked != 0)
    return call.refuse("attribute 'weights_prepacked': expected 0, got " + Twine(prepacked) +
                       ": the bytes are in the own layout of one execution provider; export with weights_prepacked = 0");
  if (!llvm::is_contained({"int", "fp8", "fp4", "nvfp4"}, kind))
    return call.refuse("attribute 'quant_type': expected int, fp8, fp4 or nvfp4, got '" + kind + "'");
  if (block != 0 && (block < 16 || !llvm::isPowerOf2_64(block)))
    return call.refuse("attribute 'block_size': expected a power of 2 of at least 16, got " + Twine(block));
  auto bitsOf = [&](StringRef name) -> int64_t { return call.integer((name + "_expert_weight_bits").str(), bits); };
  int64_t bits1 = bitsOf("fc1"), bits2 = bitsOf("fc2"), bits3 = bitsOf("fc3");
  for (int64_t width : {bits, bits1, bits2, bits3})
    if (width != 2 && width != 3 && width != 4 && width != 8)
      return call.refuse("attribute 'expert_weight_bits': expected 2, 3, 4 or 8, got " + Twine(width));
  FailureOr<Projection> fc1, fc2, fc3;
  if (kind == "int") {
    fc1 = packedProjection(call, 2, 11, "fc1", bits1, block);
    fc2 = packedProjection(call, 5, 12, "fc2", bits2, block);
    if (call.has(8))
      fc3 = packedProjection(call, 8, 13, "fc3", bits3, block);
  } else {
    int64_t size = kind == "fp4" ? 32 : kind == "nvfp4" ? 16 : block;
    fc1 = floatProjection(call, 2, 15, "fc1", kind, size);
    fc2 = floatProjection(call, 5, 16, "fc2", kind, size);
  }
  if (failed(fc1) || failed(fc2) || call.hasFailed())
    return failure();
  for (size_t index = 17; index < call.inputCount(); ++index)
    if (call.has(index))
      return call.refuse("input " + Twine(index) + ": scales of activations are not supported");
  return buildMixture(call, *mixture, *fc1, *fc2, succeeded(fc3) ? std::optional<Projection>(*fc3) : std::nullopt,
                      {2, 4, 5, 7, 8, 10});
}
