// Groups the row-wise ops between matrix products into the fewest moe.rowwise that dependences allow.
#include "passes/Passes.h"
#include "passes/Placement.h"
#include "passes/Remarks.h"

#include "dialects/moe/OutputRows.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_FUSEROWWISE
#include "passes/Passes.h.inc"

namespace {
// Ops that are not row-wise are kernels, numbered from 1 in program order, the terminator last. A row-wise op can run in any slot
// of an interval, where slot i lies between kernels i and i + 1. Picking the fewest slots such that each interval holds one is
// interval stabbing: by rising end of the intervals, open a new slot at the end of each that holds none yet.

/// A row-wise op and the slots where it can run.
struct Item {
  Operation *op;
  int64_t earliest, latest, slot = 0;
  bool perOutput;
};

/// The caches that `op` reads or writes.
SmallVector<StringRef, 2> cachesOf(Operation *op) {
  return TypeSwitch<Operation *, SmallVector<StringRef, 2>>(op)
      .Case<AppendOp, SelectPositionsOp, PoolBlocksOp>([](auto op) { return SmallVector<StringRef, 2>{op.getCache()}; })
      .Case<LatentAttentionOp, AbsorbedAttentionOp>([](auto op) { return SmallVector<StringRef, 2>{*op.getCache()}; })
      .Case([](AttentionOp op) {
        SmallVector<StringRef, 2> caches{*op.getKeys(), *op.getValues()};
        if (auto entries = op.getEntries())
          caches.push_back(*entries);
        return caches;
      })
      .Default(SmallVector<StringRef, 2>());
}

/// Whether `op` may touch any cache.
bool isFence(Operation *op) { return cachesOf(op).empty() && !op->hasTrait<OpTrait::IsTerminator>() && !isMemoryEffectFree(op); }

/// The row-wise ops of a block with the slots where each can run.
class Schedule {
public:
  Schedule(Block &block, const OutputRows &outputs) : block(block) {
    findEarliest(outputs);
    findLatest();
  }

  MutableArrayRef<Item> getItems() { return items; }
  /// The kernel behind `slot`.
  Operation *kernelAfter(int64_t slot) const { return kernels[slot]; }

private:
  void findEarliest(const OutputRows &outputs) {
    DenseMap<Operation *, int64_t> ready; // the slot from which on an op's results are there
    DenseMap<StringRef, int64_t> touched; // likewise for the last access of a cache
    int64_t fence = 0;
    for (Operation &op : block) {
      if (isFree(&op))
        continue;
      int64_t earliest = 0;
      op.walk([&](Operation *inner) {
        for (Value operand : inner->getOperands())
          earliest = std::max(earliest, ready.lookup(operand.getDefiningOp()));
      });
      for (StringRef cache : cachesOf(&op))
        earliest = std::max({earliest, touched.lookup(cache), fence});
      if (isRowwise(&op)) {
        items.push_back({&op, earliest, 0, 0, outputs.areReadBy(&op)});
      } else {
        kernels.push_back(&op);
        earliest = int64_t(kernels.size());
        if (isFence(&op))
          fence = earliest;
      }
      ready[&op] = earliest;
      for (StringRef cache : cachesOf(&op))
        touched[cache] = earliest;
    }
  }

  void findLatest() {
    DenseMap<Operation *, int64_t> needed; // the slot up to which an op's results must be there
    DenseMap<StringRef, int64_t> touched;  // likewise for the next access of a cache
    int64_t kernel = int64_t(kernels.size()), fence = kernel, item = int64_t(items.size());
    auto earlier = [](auto &map, auto key, int64_t otherwise) {
      auto found = map.find(key);
      return found == map.end() ? otherwise : std::min(found->second, otherwise);
    };
    for (Operation &op : llvm::reverse(block)) {
      if (isFree(&op))
        continue;
      int64_t latest = kernel - 1;
      if (isRowwise(&op)) {
        latest = earlier(needed, &op, int64_t(kernels.size()) - 1);
        for (StringRef cache : cachesOf(&op))
          latest = std::min({latest, earlier(touched, cache, latest), fence});
        items[--item].latest = latest;
      } else {
        --kernel;
        if (isFence(&op))
          fence = latest;
      }
      op.walk([&](Operation *inner) {
        for (Value operand : inner->getOperands())
          if (Operation *producer = operand.getDefiningOp())
            needed[producer] = earlier(needed, producer, latest);
      });
      for (StringRef cache : cachesOf(&op))
        touched[cache] = latest;
    }
  }

  Block &block;
  SmallVector<Item> items;
  SmallVector<Operation *> kernels; // kernel i is at i - 1
};

/// Gives each item the first of the fewest slots that its interval holds.
void chooseSlots(MutableArrayRef<Item> items, bool perOutput) {
  SmallVector<Item *> mine;
  for (Item &item : items)
    if (item.perOutput == perOutput)
      mine.push_back(&item);
  SmallVector<Item *> byEnd = mine;
  llvm::sort(byEnd, [](Item *a, Item *b) { return a->latest < b->latest; });
  SmallVector<int64_t> slots;
  for (Item *item : byEnd)
    if (slots.empty() || slots.back() < item->earliest)
      slots.push_back(item->latest);
  for (Item *item : mine)
    item->slot = *llvm::lower_bound(slots, item->earliest);
}

/// Moves columns to their readers when those are row-wise: there they are read in place, elsewhere they are copied.
void sinkColumns(MutableArrayRef<Item> items) {
  DenseMap<Operation *, int64_t> slots;
  for (Item &item : llvm::reverse(items)) {
    if (isa<ColumnsOp>(item.op) && !item.op->use_empty() &&
        llvm::all_of(item.op->getUsers(), [&](Operation *user) { return slots.contains(user); })) {
      auto readers = llvm::map_range(item.op->getUsers(), [&](Operation *user) { return slots.lookup(user); });
      item.slot = *llvm::min_element(readers);
    }
    slots[item.op] = item.slot;
  }
}

/// Makes one moe.rowwise of `ops`, which are in program order, before `kernel`.
void group(ArrayRef<Operation *> ops, Operation *kernel) {
  DenseSet<Operation *> members(ops.begin(), ops.end());
  llvm::SetVector<Value> inputs;
  SmallVector<Value> results;
  SmallVector<Location> locs;
  for (Operation *op : ops) {
    locs.push_back(op->getLoc());
    for (Value operand : op->getOperands())
      if (!members.contains(operand.getDefiningOp()))
        inputs.insert(operand);
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) { return !members.contains(user); }))
        results.push_back(result);
  }
  for (Value input : inputs)
    if (Operation *op = input.getDefiningOp(); op && isFree(op) && kernel->isBeforeInBlock(op))
      moveBefore(op, kernel);

  OpBuilder builder(kernel);
  auto rowwise = RowwiseOp::create(builder, builder.getFusedLoc(locs), TypeRange(ValueRange(results)), inputs.getArrayRef());
  Block *body = builder.createBlock(&rowwise.getBody());
  IRMapping inside;
  for (Value input : inputs)
    inside.map(input, body->addArgument(input.getType(), input.getLoc()));
  for (Operation *op : ops) {
    op->moveBefore(body, body->end());
    for (OpOperand &operand : op->getOpOperands())
      operand.set(inside.lookupOrDefault(operand.get()));
  }
  YieldOp::create(builder, rowwise.getLoc(), results);
  for (auto [inner, outer] : llvm::zip_equal(results, rowwise.getResults()))
    inner.replaceUsesWithIf(outer, [&](OpOperand &use) { return use.getOwner()->getBlock() != body; });
}

struct FuseRowwise : impl::FuseRowwiseBase<FuseRowwise> {
  void runOnOperation() override {
    if (getOperation().isDeclaration())
      return;
    OutputRows outputs(getOperation());
    for (Block &block : getOperation().getBody()) {
      Schedule schedule(block, outputs);
      MutableArrayRef<Item> items = schedule.getItems();
      chooseSlots(items, /*perOutput=*/false);
      chooseSlots(items, /*perOutput=*/true);
      sinkColumns(items);
      llvm::MapVector<std::pair<int64_t, int64_t>, SmallVector<Operation *>> groups;
      for (Item &item : items)
        groups[{item.slot, item.perOutput}].push_back(item.op);
      if (!items.empty())
        remark::passed(getOperation().getLoc(), remarkOf(getArgument(), items.front().op))
            << llvm::formatv("{0} row-wise ops in {1} groups", items.size(), groups.size()).str();
      for (auto &[key, ops] : groups)
        group(ops, schedule.kernelAfter(key.first));
    }
  }
};
} // namespace
} // namespace moec::passes
