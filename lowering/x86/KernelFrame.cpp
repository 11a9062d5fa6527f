// How buffers, numbers and scratch memory reach a kernel.
#include "lowering/x86/KernelFrame.h"

#include "lowering/plan/Schedule.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

Weight::Weight(KernelBuilder &b, RankedTensorType type, Pointer parts, ArrayRef<int64_t> partRows)
    : builder(&b), type(type), parts(parts), partRows(partRows) {}

Pointer Weight::row(Number index) const {
  int64_t elements = type.getNumElements() / leadingRows();
  if (partRows.size() == 1 && partRows[0] == leadingRows())
    return parts.loadPointer(element()) + index * elements;
  if (partRows.size() == 1) {
    Number part = partRows[0] == 1 ? index : index / partRows[0];
    Pointer base = (parts + part).loadPointer(element());
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
  return (parts + part).loadPointer(element()) + (index - first) * elements;
}

KernelFrame::KernelFrame(KernelBuilder &b, plan::KernelOp kernel, ArrayRef<Number> arguments)
    : b(b), kernel(kernel), begin(arguments[3]), end(arguments[4]), scratch(arguments[2].value) {
  Pointer numbers = b.pointer(arguments[1].value, b.i64);
  tokens = numbers.load();
  Number outputs = (numbers + 1).load();
  sequences = (numbers + 2).load();
  maxPages = (numbers + 3).load();
  rows = kernel.getRows() == plan::Extent::Outputs ? outputs : tokens;

  unsigned count = 0, tables = 0;
  for (BlockArgument argument : kernel.getBody().getArguments())
    count += isa<moe::BatchType>(argument.getType()) ? 5 : 1;
  firstCache = count;
  firstResult = firstCache + kernel.getCaches().size();
  firstTable = firstResult + kernel.getResults().size();
  kernel.walk([&](moe::RopeOp op) { tables += op.getPositionScale() ? 2 : 1; });
  for (unsigned i = 0; i < firstTable + tables; ++i)
    addresses.push_back((b.pointer(arguments[0].value, b.ptr) + int64_t(i)).loadPointer(b.getI8Type()));
}

Pointer KernelFrame::bufferAt(unsigned index, Type element) const { return b.pointer(addresses[index], element); }

unsigned KernelFrame::indexOf(Value argument) const {
  unsigned index = 0;
  for (Value before : kernel.getBody().getArguments().take_front(cast<BlockArgument>(argument).getArgNumber()))
    index += isa<moe::BatchType>(before.getType()) ? 5 : 1;
  return index;
}

Pointer KernelFrame::buffer(Value argument) const {
  return bufferAt(indexOf(argument), cast<RankedTensorType>(argument.getType()).getElementType());
}

Weight KernelFrame::weight(Value argument) const {
  if (!argument)
    return {};
  auto rows = cast<DenseI64ArrayAttr>(kernel.getPartRows()[cast<BlockArgument>(argument).getArgNumber()]);
  return {b, cast<RankedTensorType>(argument.getType()), bufferAt(indexOf(argument), b.ptr), rows.asArrayRef()};
}

Batch KernelFrame::batch(Value argument) const {
  unsigned first = indexOf(argument);
  return {bufferAt(first, b.i32), bufferAt(first + 1, b.i32), bufferAt(first + 2, b.i32), bufferAt(first + 3, b.i32),
          bufferAt(first + 4, b.i32)};
}

Cache KernelFrame::cache(FlatSymbolRefAttr symbol) const {
  unsigned index = firstCache;
  for (Operation *op : kernel.getCaches()) {
    auto cache = cast<moe::CacheOp>(op);
    if (cache.getSymName() == symbol.getValue()) {
      auto type = cast<RankedTensorType>(cache.getType());
      return {bufferAt(index, type.getElementType()), type.getShape().back()};
    }
    ++index;
  }
  llvm_unreachable("the verifier has found every cache");
}

Pointer KernelFrame::result(unsigned index) const {
  return bufferAt(firstResult + index, cast<RankedTensorType>(kernel.getResults()[index].getType()).getElementType());
}

Pointer KernelFrame::rotaryTable(moe::RopeOp op) const {
  unsigned index = firstTable;
  kernel.walk([&](moe::RopeOp other) {
    if (other == op)
      return WalkResult::interrupt();
    index += other.getPositionScale() ? 2 : 1;
    return WalkResult::advance();
  });
  return bufferAt(index, b.f32);
}

Pointer KernelFrame::positionScaleTable(moe::RopeOp op) const {
  Value rotary = rotaryTable(op);
  return bufferAt(llvm::find(addresses, rotary) - addresses.begin() + 1, b.f32);
}

Pointer KernelFrame::cacheRow(const Cache &cache, const Batch &batch, Number sequence, Number position) const {
  Number page = (batch.pages + (sequence * maxPages + position / pageSize)).load().toInteger(b.i64);
  return cache.base + (page * pageSize + position % pageSize) * cache.width;
}

Pointer KernelFrame::allocate(Type element, int64_t count) {
  Pointer memory = b.pointer(scratch, b.getI8Type()) + allocated;
  allocated += llvm::alignTo(count * bytesOf(element), 64);
  return memory.as(element);
}
