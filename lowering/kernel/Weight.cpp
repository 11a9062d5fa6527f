// Where rows of weights and their scales are.
#include "lowering/kernel/Weight.h"

#include "lowering/kernel/NumberFormat.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;

std::string Storage::name() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << element;
  if (isQuantized)
    out << "-" << zeroPoint;
  if (scale)
    out << "." << scale << "x" << scaleColumns;
  if (hasZeros)
    out << ".zeros";
  return text;
}

static Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

Storage moec::lowering::storageOf(Value weight) {
  auto op = weight.getDefiningOp<moe::DequantizeOp>();
  if (!op)
    return {elementOf(weight)};
  Storage storage{elementOf(op.getValues())};
  storage.isQuantized = true;
  storage.zeroPoint = op.getFormat().getZeroPoint();
  storage.hasZeros = bool(op.getZeros());
  if (storage.hasZeros || moe::widthOf(op.getScales().getType()) > 1) {
    storage.scale = elementOf(op.getScales());
    storage.scaleColumns = op.getFormat().getColumns();
    if (moe::widthOf(op.getScales().getType()) == 1) // as if the only block ended evenly
      storage.scaleColumns = int64_t(llvm::PowerOf2Ceil(uint64_t(std::max<int64_t>(storage.scaleColumns, 64))));
  }
  return storage;
}

struct Weight::Scales {
  moe::NumberFormatAttr format;
  Weight scales, global, zeros;
};

Weight::Weight(FunctionBuilder &b, RankedTensorType type, Pointer parts, ArrayRef<int64_t> partRows)
    : builder(&b), type(type), rowStorage{type.getElementType()}, parts(parts), partRows(partRows) {}

Weight::Weight(moe::DequantizeOp op, Weight values, Weight scales, Weight global, Weight zeros) : Weight(std::move(values)) {
  rowStorage = storageOf(op.getResult());
  this->scales = std::make_shared<const Scales>(Scales{op.getFormat(), std::move(scales), std::move(global), std::move(zeros)});
}

Pointer Weight::row(Number index) const {
  Type memory = inMemory(element());
  int64_t elements = type.getNumElements() / leadingRows() * element().getIntOrFloatBitWidth() / memory.getIntOrFloatBitWidth();
  if (partRows.size() == 1 && partRows[0] == leadingRows())
    return builder->loadAddress(parts, memory) + index * elements;
  if (partRows.size() == 1) {
    Number part = partRows[0] == 1 ? index : index / partRows[0];
    Pointer base = builder->loadAddress(parts + part, memory);
    return partRows[0] == 1 ? base : base + (index % partRows[0]) * elements;
  }
  // Few parts of different sizes (fused projections): count the boundaries at or below the row.
  Number part = builder->integer(0), first = builder->integer(0);
  int64_t boundary = 0;
  for (int64_t rows : partRows.drop_back()) {
    boundary += rows;
    Number beyond = index >= boundary;
    part = part + beyond.toUnsigned(builder->i64);
    first = select(beyond, builder->integer(boundary), first);
  }
  return builder->loadAddress(parts + part, memory) + (index - first) * elements;
}

WeightRow Weight::matrixRow(Number index) const {
  return scales ? scaled(row(index), builder->integer(0), index) : WeightRow{row(index)};
}

WeightRow Weight::matrixRow(Number entry, Number index) const {
  int64_t rowBits = width() * element().getIntOrFloatBitWidth();
  Pointer elements = row(entry) + index * (rowBits / inMemory(element()).getIntOrFloatBitWidth());
  return scales ? scaled(elements, entry, index) : WeightRow{elements};
}

WeightRow Weight::scaled(Pointer elements, Number entry, Number index) const {
  const auto &[format, scales, global, zeros] = *this->scales;
  Number inTensor = index + format.getFirstRow();
  auto placeIn = [&](const Weight &ofBlocks) {
    if (type.getRank() == 3 && ofBlocks.type.getRank() == 3)
      return ofBlocks.row(entry) + inTensor / format.getRows() * ofBlocks.width();
    int64_t tensorRows = format.getTensorRows() ? format.getTensorRows() : type.getShape().drop_back().back();
    return ofBlocks.row((entry * tensorRows + inTensor) / format.getRows());
  };
  Pointer place = placeIn(scales);
  Number factor = rowStorage.scale ? builder->real(1) : loadNumber(place, scales.element());
  if (global) {
    Number overall = loadNumber(global.row(entry), global.element());
    factor = format.getDivides() ? factor / overall : factor * overall;
  }
  return {elements, rowStorage.scale ? place : Pointer(), factor, zeros ? placeIn(zeros) : Pointer()};
}
