// How data flows through the ops of a function.
#include "passes/raise/Flow.h"
#include "passes/raise/Excerpt.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <queue>

using namespace mlir;
using namespace moec::passes;

/// Enough for a layer of hundreds of experts; what goes further is no layer.
static constexpr size_t mostOps = 100000;

Flow::Flow(Block &block) : block(block) {
  for (BlockArgument argument : block.getArguments())
    if (isa<RankedTensorType>(argument.getType()))
      data.insert(argument);
  for (Operation &op : block)
    update(&op);
}

SmallVector<Value> Flow::readBy(Operation *op) const {
  SmallVector<Value> read;
  if (!isa<tensor::DimOp>(op))
    for (Value value : valuesReadBy(op))
      if (isData(value))
        read.push_back(value);
  return read;
}

void Flow::update(Operation *op) {
  if (!readBy(op).empty())
    data.insert_range(op->getResults());
}

SmallVector<Operation *> Flow::readersOf(Value value) const {
  SetVector<Operation *> readers;
  for (Operation *user : value.getUsers())
    if (Operation *reader = block.findAncestorOpInBlock(*user);
        reader && !isa<tensor::DimOp>(reader) && reader->getNumResults() > 0)
      readers.insert(reader);
  SmallVector<Operation *> sorted = readers.takeVector();
  llvm::sort(sorted, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return sorted;
}

namespace {
struct IsLater {
  bool operator()(Operation *a, Operation *b) const { return b->isBeforeInBlock(a); }
};
struct IsEarlier {
  bool operator()(Operation *a, Operation *b) const { return a->isBeforeInBlock(b); }
};
} // namespace

void Flow::visitBottlenecks(Value from, function_ref<bool(Value)> isEnd, function_ref<bool(Value)> visit) const {
  // The values that are needed at a place that moves up; where it is one, all ways go through it.
  SetVector<Value> needed;
  std::priority_queue<Operation *, std::vector<Operation *>, IsEarlier> makers;
  DenseSet<Operation *> queued;
  auto need = [&](Value value) {
    if (isEnd(value) || !needed.insert(value))
      return;
    if (Operation *op = value.getDefiningOp(); op && queued.insert(op).second)
      makers.push(op);
  };
  need(from);
  for (size_t steps = 0; !needed.empty() && steps < mostOps; ++steps) {
    if (needed.size() == 1 && !visit(needed.front()))
      return;
    if (makers.empty())
      return;
    Operation *op = makers.top();
    makers.pop();
    for (Value result : op->getResults())
      needed.remove(result);
    for (Value read : readBy(op))
      need(read);
  }
}

Flow::Cone Flow::coneOf(Value source) const {
  Cone cone;
  cone.values.insert(source);
  std::priority_queue<Operation *, std::vector<Operation *>, IsLater> readers;
  DenseSet<Operation *> queued;
  auto push = [&](Value value) {
    for (Operation *reader : readersOf(value))
      if (queued.insert(reader).second)
        readers.push(reader);
  };
  push(source);
  while (!readers.empty() && queued.size() < mostOps) {
    Operation *op = readers.top();
    readers.pop();
    if (!llvm::all_of(readBy(op), [&](Value read) { return cone.values.contains(read); })) {
      cone.exits.push_back(op);
      continue;
    }
    cone.ops.push_back(op);
    for (Value result : op->getResults()) {
      cone.values.insert(result);
      push(result);
    }
  }
  return cone;
}

void Flow::visitBehind(ArrayRef<Operation *> exits, function_ref<bool(Operation *, const llvm::BitVector &)> visit) const {
  std::priority_queue<Operation *, std::vector<Operation *>, IsLater> pending;
  DenseMap<Operation *, llvm::BitVector> reached;
  for (auto [index, exit] : llvm::enumerate(exits)) {
    llvm::BitVector bits(unsigned(exits.size()));
    bits.set(unsigned(index));
    reached[exit] = bits;
    pending.push(exit);
  }
  for (size_t steps = 0; !pending.empty() && steps < mostOps; ++steps) {
    Operation *op = pending.top();
    pending.pop();
    llvm::BitVector bits = reached[op];
    if (!visit(op, bits))
      return;
    for (Value result : op->getResults())
      for (Operation *reader : readersOf(result)) {
        auto [entry, isNew] = reached.try_emplace(reader, bits);
        if (isNew)
          pending.push(reader);
        else
          entry->second |= bits;
      }
  }
}
