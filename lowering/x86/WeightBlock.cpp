// Blocks of every storage type. Four-bit elements are taken eight to a lane, so that shifts of whole vectors bring them up.
#include "lowering/x86/WeightBlock.h"

#include "lowering/kernel/NumberFormat.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::x86;

/// Bytes of a block of elements of at most a byte, where no smaller number of them shares a scale.
static constexpr int64_t lineBytes = 64;
/// Elements of at most four bits in a lane of a vector.
static constexpr int64_t elementsOfLane = 8;

/// The largest number of E2M1, in halves.
static constexpr int64_t largestHalves = 12;

static bool isPacked(const Storage &storage) { return storage.element.getIntOrFloatBitWidth() == 4; }

/// The fewest elements of a byte that a block can have: what a vector of 16-bit lanes takes, on any target.
static constexpr int64_t fewestBytes = 32;

bool WeightBlock::covers(const Storage &storage) {
  if (isPacked(storage)) // scales of 8 elements or more, in powers of two
    return !storage.scale || (storage.scaleColumns >= elementsOfLane && llvm::isPowerOf2_64(storage.scaleColumns));
  if (storage.element.getIntOrFloatBitWidth() == 8)
    return !storage.scale || storage.scaleColumns % fewestBytes == 0;
  return !storage.isQuantized;
}

WeightBlock::WeightBlock(KernelBuilder &b, const Storage &storage)
    : b(b), storage(storage), bits(storage.element.getIntOrFloatBitWidth()), elements(b.lanes), distance(1),
      zeroPoint(storage.hasZeros ? 0 : storage.zeroPoint) {
  if (storage.element.isBF16()) {
    distance = 2;
    elements = distance * b.lanes;
  } else if (isPacked(storage)) {
    distance = elementsOfLane;
    elements = distance * b.lanes;
  } else if (bits == 8) {
    elements = storage.scale ? std::gcd(storage.scaleColumns, lineBytes) : lineBytes;
    if (isa<Float8E4M3FNType>(storage.element) && b.target.hasByteTables && elements == lineBytes)
      distance = 0;
  }
}

int64_t WeightBlock::elementAt(int64_t vector, int64_t lane) const {
  if (distance == 1)
    return vector * b.lanes + lane;
  if (distance)
    return lane * distance + vector;
  // The lower and the upper halves of 128 bits become pairs, the even ones and the odd ones of which become lanes.
  return lane / 4 * 16 + vector / 2 * 8 + lane % 4 * 2 + vector % 2;
}

/// What every four-bit code stands for.
SmallVector<float> WeightBlock::valuesOfCodes() const {
  if (!storage.element.isInteger())
    return {0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6};
  SmallVector<float> values;
  for (int64_t code = 0; code < 16; ++code)
    values.push_back(float((storage.element.isUnsignedInteger() || code < 8 ? code : code - 16) - zeroPoint));
  return values;
}

/// The values of codes that are the low four bits of `codes`.
Number WeightBlock::lookUp(Number codes) const {
  SmallVector<float> values = valuesOfCodes();
  auto permuted = [&](ArrayRef<float> table, StringRef intrinsic) {
    Value constant = arith::ConstantOp::create(b, DenseElementsAttr::get(VectorType::get(b.lanes, b.f32), table));
    Value operands[] = {constant, codes.value};
    return b.number(LLVM::CallIntrinsicOp::create(b, constant.getType(), b.getStringAttr(intrinsic), operands).getResult(0));
  };
  if (b.lanes == 16)
    return permuted(values, "llvm.x86.avx512.permvar.sf.512");
  ArrayRef<float> all(values);
  Number isHigh = (codes & codes.like(int64_t(8))) != 0;
  return select(isHigh, permuted(all.drop_front(8), "llvm.x86.avx2.permps"), permuted(all.take_front(8), "llvm.x86.avx2.permps"));
}

KernelBuilder::Numbers WeightBlock::loadPacked(Pointer place) const {
  KernelBuilder::Numbers vectors;
  Number words = place.as(b.i32).load(b.lanes, 1);
  for (int64_t j = 0; j < elementsOfLane; ++j) {
    Number codes = j ? words >> 4 * j : words;
    if (b.lanes == 16 || !storage.element.isUnsignedInteger()) {
      vectors.push_back(lookUp(codes));
      continue;
    }
    Number integer = (codes & codes.like(int64_t(15))).toReal(); // without tables of 16
    vectors.push_back(zeroPoint ? integer - integer.like(double(zeroPoint)) : integer);
  }
  return vectors;
}

/// The bytes of `tables`, 64 or 128, of which the low bits of `codes` are the indices.
static Number lookUpIn(KernelBuilder &b, ArrayRef<int8_t> tables, Number codes) {
  SmallVector<Value> operands;
  for (; !tables.empty(); tables = tables.drop_front(lineBytes)) {
    auto values = DenseElementsAttr::get(VectorType::get(lineBytes, b.i8), tables.take_front(lineBytes));
    operands.push_back(arith::ConstantOp::create(b, values));
  }
  operands.insert(operands.begin() + 1, codes.value);
  StringRef intrinsic = operands.size() == 2 ? "llvm.x86.avx512.permvar.qi.512" : "llvm.x86.avx512.vpermi2var.qi.512";
  return b.number(LLVM::CallIntrinsicOp::create(b, codes.type(), b.getStringAttr(intrinsic), operands).getResult(0));
}

/// E4M3 by tables of the two bytes of bf16, the sign apart.
KernelBuilder::Numbers WeightBlock::loadByTables(Pointer place) const {
  SmallVector<int8_t> tables[2];
  for (int64_t code = 0; code < 128; ++code) {
    llvm::APFloat value(llvm::APFloat::Float8E4M3FN(), llvm::APInt(8, uint64_t(code)));
    bool isInexact;
    value.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven, &isInexact);
    uint64_t bits = value.bitcastToAPInt().getZExtValue();
    tables[0].push_back(int8_t(bits & 0xff));
    tables[1].push_back(int8_t(bits >> 8));
  }
  Number codes = place.load(lineBytes), low = lookUpIn(b, tables[0], codes);
  Number high = lookUpIn(b, tables[1], codes) | (codes & codes.like(int64_t(0x80)));
  KernelBuilder::Numbers vectors;
  for (int64_t half : {0, 8}) {
    SmallVector<int64_t> mask;
    for (int64_t i = 0; i < lineBytes / 2; ++i)
      mask.append({i / 8 * 16 + half + i % 8, lineBytes + i / 8 * 16 + half + i % 8});
    Number pairs = b.number(vector::BitCastOp::create(b, VectorType::get(b.lanes, b.i32), low.shuffle(high, mask).value));
    vectors.append({(pairs << 16).bitsAs(b.f32), (pairs & pairs.like(int64_t(0xffff0000u))).bitsAs(b.f32)});
  }
  return vectors;
}

KernelBuilder::Numbers WeightBlock::load(Pointer place) const {
  if (isPacked(storage))
    return loadPacked(place);
  if (!distance)
    return loadByTables(place);
  if (storage.element.isBF16()) {
    Number pairs = place.as(b.i32).load(b.lanes, 2);
    return {(pairs << 16).bitsAs(b.f32), (pairs & pairs.like(int64_t(0xffff0000u))).bitsAs(b.f32)};
  }
  KernelBuilder::Numbers vectors;
  if (bits > 8) {
    vectors.push_back(place.loadF32(b.lanes));
  } else if (storage.element.isInteger()) {
    for (int64_t i = 0; i < elements; i += b.lanes) {
      Number bytes = (place + i).load(b.lanes);
      Number integer = storage.element.isUnsignedInteger() ? bytes.toUnsigned(b.i32) : bytes.toInteger(b.i32);
      vectors.push_back((zeroPoint ? integer - zeroPoint : integer).toReal());
    }
  } else { // two vectors of f32 come of one of halves
    for (int64_t i = 0; i < elements; i += 2 * b.lanes) {
      Number both = fromE4M3((place + i).load(2 * b.lanes));
      SmallVector<int64_t> low(b.lanes), high(b.lanes);
      std::iota(low.begin(), low.end(), 0);
      std::iota(high.begin(), high.end(), b.lanes);
      vectors.append({both.shuffle(both, low), both.shuffle(both, high)});
    }
  }
  return vectors;
}

double WeightBlock::unit() const {
  if (isa<Float8E4M3FNType>(storage.element))
    return distance ? unitOfE4M3 : 1;
  return givesCodes() && !storage.element.isInteger() ? 0.5 : 1;
}

bool WeightBlock::givesCodes() const {
  return b.target.hasByteDot && storage.isQuantized && !storage.hasZeros && (isPacked(storage) || storage.element.isInteger(8)) &&
         elements % lineBytes == 0 && codeOfZero() < int64_t(1) << bits;
}

int64_t WeightBlock::codeOfZero() const {
  if (!storage.element.isInteger())
    return largestHalves;
  return storage.zeroPoint + (storage.element.isUnsignedInteger() ? 0 : 1 << (bits - 1));
}

int64_t WeightBlock::largestCode() const {
  if (!storage.element.isInteger())
    return largestHalves;
  return std::max(codeOfZero(), (1 << bits) - 1 - codeOfZero());
}

/// The bytes of which `codes`, below 16 or wherever tables ignore the upper bits, are the indices.
Number WeightBlock::lookUpBytes(Number codes) const {
  SmallVector<int8_t> table;
  for (int64_t i = 0; i < lineBytes; ++i) // one table for each 128 bits, or for what else the upper bits may be
    table.push_back(int8_t(2 * valuesOfCodes()[i % 16] + largestHalves));
  if (b.target.hasByteTables)
    return lookUpIn(b, table, codes);
  Value constant = arith::ConstantOp::create(b, DenseElementsAttr::get(VectorType::get(lineBytes, b.i8), ArrayRef(table)));
  auto call = LLVM::CallIntrinsicOp::create(b, constant.getType(), b.getStringAttr("llvm.x86.avx512.pshuf.b.512"),
                                            ValueRange{constant, codes.value});
  return b.number(call.getResult(0));
}

KernelBuilder::Numbers WeightBlock::loadCodes(Pointer place) const {
  bool isSigned = storage.element.isInteger() && !storage.element.isUnsignedInteger();
  Number bytes = place.load(lineBytes);
  if (!isPacked(storage))
    return {isSigned ? bytes ^ bytes.like(int64_t(0x80)) : bytes};
  if (isSigned)
    bytes = bytes ^ bytes.like(int64_t(0x88));
  if (codesOverlap())
    return {bytes, bytes & bytes.like(int64_t(0xf0))};
  if (b.target.hasByteTables) {
    auto as = [&](Number vector, int64_t count, Type element) {
      return b.number(vector::BitCastOp::create(b, VectorType::get(count, element), vector.value));
    };
    return {lookUpBytes(bytes), lookUpBytes(as(as(bytes, lineBytes / 2, b.i16) >> 4, lineBytes, b.i8))};
  }
  return {lookUpBytes(bytes & bytes.like(int64_t(15))), lookUpBytes(bytes >> 4)};
}

SmallVector<int64_t> WeightBlock::codesOfZero() const {
  int64_t code = codeOfZero();
  if (codesOverlap())
    return {17 * code, 16 * code};
  return SmallVector<int64_t>(size_t(elements / lineBytes), code);
}

int64_t WeightBlock::scales() const {
  return storage.scale && storage.scaleColumns < elements ? elements / storage.scaleColumns : 0;
}

/// `count` neighbouring bf16, 64 bits or less, each in its share of `lanes` lanes of f32. The few bits repeat throughout the
/// vector, so that a shuffle within 128 bits, the cheapest, moves them to the upper halves of lanes.
static Number spreadBf16(KernelBuilder &b, Pointer place, int64_t count, int64_t lanes) {
  Type together = b.getIntegerType(unsigned(16 * count));
  Number repeated = b.number(LLVM::LoadOp::create(b, together, place, 2)).splat(2 * lanes / count);
  auto as = [&](Number vector, int64_t elements, Type element) {
    return b.number(vector::BitCastOp::create(b, VectorType::get(elements, element), vector.value));
  };
  SmallVector<int64_t> halves;
  for (int64_t lane = 0; lane < lanes; ++lane)
    halves.append({2 * lanes, lane / 4 * 8 + lane * count / lanes});
  Number words = as(repeated, 2 * lanes, b.i16);
  return as(words.shuffle(words.like(int64_t(0)), halves), lanes, b.f32);
}

Number WeightBlock::inLanes(Pointer row, Number index, function_ref<Number(Pointer, int64_t)> load) const {
  int64_t count = scales();
  if (!count)
    return load(row + index / (storage.scaleColumns / elements), 0).splat(b.lanes);
  Number some = load(row + index * count, count);
  SmallVector<int64_t> spread;
  for (int64_t lane = 0; lane < b.lanes; ++lane)
    spread.push_back(lane * count / b.lanes);
  return some.shuffle(some, spread);
}

Number WeightBlock::loadScales(Pointer row, Number index) const {
  int64_t count = scales();
  if (count && storage.scale.isBF16() && count <= 4)
    return spreadBf16(b, row + index * count, count, b.lanes);
  return inLanes(row, index, [&](Pointer place, int64_t count) { return loadNumber(place, storage.scale, count); });
}

Number WeightBlock::loadZeros(Pointer row, Number index) const {
  return inLanes(row, index,
                 [&](Pointer place, int64_t count) { return zeroPoints(place.load(count), storage.zeroPoint, storage.element); });
}
