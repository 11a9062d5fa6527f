// Tables of rows.
#include "lowering/x86/WeightRows.h"

#include "lowering/kernel/NumberFormat.h"
#include "lowering/x86/WeightBlock.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::x86;

bool moec::lowering::x86::hasByteScales(const Storage &storage) {
  return storage.scale && storage.scale.getIntOrFloatBitWidth() == 8;
}

Storage moec::lowering::x86::withScalesInF32(Storage storage) {
  if (hasByteScales(storage))
    storage.scale = mlir::Float32Type::get(storage.scale.getContext());
  return storage;
}

/// At least as many as a block has scales.
static constexpr int64_t zerosBehindScales = 16;
static constexpr int64_t cacheLine = 64;

WeightRows WeightRows::allocate(KernelFrame &frame, const Storage &storage, int64_t count, int64_t width) {
  WeightRows rows{frame.allocate(frame.b.ptr, count)};
  if (storage.scale)
    rows.scales = frame.allocate(frame.b.ptr, count);
  if (storage.hasZeros)
    rows.zeros = frame.allocate(frame.b.ptr, count);
  if (hasByteScales(storage)) {
    int64_t numbers = llvm::divideCeil(width, storage.scaleColumns) + zerosBehindScales;
    rows.scaleNumbers = frame.allocate(frame.b.f32, tileRows * (numbers + bytesOf(frame.b.ptr) / bytesOf(frame.b.f32)));
  }
  if (storage.isQuantized) {
    rows.factors = frame.allocate(frame.b.f32, count);
    rows.unit = WeightBlock(frame.b, storage).unit();
  }
  return rows;
}

void WeightRows::set(Number index, const WeightRow &row) const {
  auto address = [](Pointer place) { return Number(*place.builder, place.value); };
  (elements + index).store(address(row.elements));
  if (scales.builder)
    (scales + index).store(address(row.scales));
  if (zeros.builder)
    (zeros + index).store(address(row.zeros));
  if (factors.builder)
    (factors + index).store(row.factor * row.factor.like(unit));
}

void WeightRows::convertScales(KernelBuilder &b, const Storage &storage, int64_t count, Number width, Number ahead) const {
  Value operands[] = {scales, scaleNumbers, b.integer(count), (width + (storage.scaleColumns - 1)) / storage.scaleColumns, ahead};
  b.callShared("moec.scales." + storage.name(), operands, [&](llvm::ArrayRef<Number> arguments) {
    Pointer rows = b.pointer(arguments[0], b.ptr), addresses = b.pointer(arguments[1], b.i64);
    Pointer numbers = (addresses + tileRows).as(b.f32);
    Number count = arguments[3], ahead = arguments[4];
    b.forRange(arguments[2], [&](Number n) {
      Pointer source = (rows + n).loadPointer(b.i8), destination = numbers + n * (count + zerosBehindScales);
      (addresses + n).store(destination.address());
      auto convert = [&](Number k, int64_t lanes) { (destination + k).store(loadNumber(source + k, storage.scale, lanes)); };
      b.ifThenElse(
          count >= b.lanes, // the last vector may begin within the one before
          [&] { b.forRange(b.integer(0), count, b.lanes, [&](Number k) { convert(minimum(k, count - b.lanes), b.lanes); }); },
          [&] { b.forRange(count, [&](Number k) { convert(k, 0); }); });
      for (int64_t k = 0; k < zerosBehindScales; k += b.lanes)
        (destination + count + k).store(b.zero(b.lanes));
      b.forRange(b.integer(0), count, cacheLine, [&](Number k) { (source + ahead * count + k).prefetch(2); });
    });
  });
}

WeightRows WeightRows::from(Number index) const {
  WeightRows rest{elements + index};
  if (scales.builder)
    rest.scales = scales + index;
  if (zeros.builder)
    rest.zeros = zeros + index;
  if (factors.builder)
    rest.factors = factors + index;
  rest.scaleNumbers = scaleNumbers;
  rest.unit = unit;
  return rest;
}
