// How buffers and numbers reach a kernel.
#include "lowering/kernel/KernelArguments.h"

#include "lowering/plan/Schedule.h"
#include "lowering/plan/Tables.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;

static unsigned countTables(plan::KernelOp kernel) {
  unsigned tables = 0;
  kernel.walk([&](Operation *op) { tables += tablesOf(op).size(); });
  return tables;
}

static unsigned countArguments(plan::KernelOp kernel) {
  unsigned count = 0;
  for (BlockArgument argument : kernel.getBody().getArguments())
    count += isa<moe::BatchType>(argument.getType()) ? 5 : 1;
  return count;
}

unsigned KernelArguments::countBuffers(plan::KernelOp kernel) {
  return countArguments(kernel) + kernel.getCaches().size() + kernel.getResults().size() + countTables(kernel);
}

KernelArguments::KernelArguments(FunctionBuilder &b, plan::KernelOp kernel, SmallVector<Value> buffers, Value stepNumbers)
    : kernel(kernel), builder(b), addresses(std::move(buffers)) {
  Pointer numbers = b.pointer(stepNumbers, b.i64);
  tokens = numbers.load();
  outputs = (numbers + 1).load();
  sequences = (numbers + 2).load();
  maxPages = (numbers + 3).load();
  rows = kernel.getRows() == plan::Extent::Outputs ? outputs : tokens;
  firstCache = countArguments(kernel);
  firstResult = firstCache + kernel.getCaches().size();
  firstTable = firstResult + kernel.getResults().size();
}

Pointer KernelArguments::bufferAt(unsigned index, Type element) const { return builder.pointer(addresses[index], element); }

unsigned KernelArguments::indexOf(Value argument) const {
  unsigned index = 0;
  for (Value before : kernel.getBody().getArguments().take_front(cast<BlockArgument>(argument).getArgNumber()))
    index += isa<moe::BatchType>(before.getType()) ? 5 : 1;
  return index;
}

Pointer KernelArguments::buffer(Value argument) const {
  return bufferAt(indexOf(argument), cast<RankedTensorType>(argument.getType()).getElementType());
}

Weight KernelArguments::weight(Value argument) const {
  if (!argument)
    return {};
  if (auto dequantize = argument.getDefiningOp<moe::DequantizeOp>())
    return {dequantize, weight(dequantize.getValues()), weight(dequantize.getScales()), weight(dequantize.getGlobal()),
            weight(dequantize.getZeros())};
  auto rows = cast<DenseI64ArrayAttr>(kernel.getPartRows()[cast<BlockArgument>(argument).getArgNumber()]);
  return {builder, cast<RankedTensorType>(argument.getType()), bufferAt(indexOf(argument), builder.ptr), rows.asArrayRef()};
}

Batch KernelArguments::batch(Value argument) const {
  unsigned first = indexOf(argument);
  return {bufferAt(first, builder.i32), bufferAt(first + 1, builder.i32), bufferAt(first + 2, builder.i32),
          bufferAt(first + 3, builder.i32), bufferAt(first + 4, builder.i32)};
}

Cache KernelArguments::cache(FlatSymbolRefAttr symbol) const {
  unsigned index = firstCache;
  for (Operation *op : kernel.getCaches()) {
    auto cache = cast<moe::CacheOp>(op);
    if (cache.getSymName() == symbol.getValue()) {
      auto type = cast<RankedTensorType>(cache.getType());
      return {bufferAt(index, type.getElementType()), type.getShape().back(), int64_t(cache.getBlock())};
    }
    ++index;
  }
  llvm_unreachable("the verifier has found every cache");
}

Pointer KernelArguments::result(unsigned index) const {
  return bufferAt(firstResult + index, cast<RankedTensorType>(kernel.getResults()[index].getType()).getElementType());
}

Pointer KernelArguments::table(Operation *op, unsigned index) const {
  unsigned before = 0;
  kernel.walk([&](Operation *other) {
    if (other == op)
      return WalkResult::interrupt();
    before += tablesOf(other).size();
    return WalkResult::advance();
  });
  return bufferAt(firstTable + before + index, builder.f32);
}

Number KernelArguments::cacheOffset(const Cache &cache, const Batch &batch, Number sequence, Number position) const {
  if (cache.block > 1) // a block may end in another page than it begins
    position = position - position % cache.block;
  Number page = (batch.pages + (sequence * maxPages + position / pageSize)).load().toInteger(builder.i64);
  Number row = position % pageSize;
  if (cache.block > 1)
    row = row / cache.block;
  return (page * rowsOfPage(cache.block) + row) * cache.width;
}

int64_t KernelArguments::mostCachedRows(const Cache &cache) const {
  auto model = *kernel->getParentOfType<ModuleOp>().getOps<plan::ModelOp>().begin();
  return int64_t(llvm::alignTo(llvm::divideCeil(uint64_t(model.getMaxSequence()), uint64_t(cache.block)), pageSize));
}
