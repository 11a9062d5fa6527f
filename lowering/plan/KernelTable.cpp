// The kernels of a module, keyed by what they compute.
#include "lowering/plan/KernelTable.h"

#include "lowering/plan/LaunchCost.h"
#include "lowering/plan/Schedule.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;
using namespace moec::lowering;
using plan::Extent;

namespace {
/// How the work of an op is cut.
struct Items {
  int64_t perUnit;
  Extent extent;
};
} // namespace

static int64_t dim(Value value, int64_t index) { return cast<RankedTensorType>(value.getType()).getDimSize(index); }

/// Items of `op`, the one op of a kernel; nothing for an op that no launch computes.
static std::optional<Items> itemsOf(Operation *op, Extent rows) {
  auto columns = [](int64_t count) { return Items{itemsOfColumns(count), Extent::Constant}; };
  return TypeSwitch<Operation *, std::optional<Items>>(op)
      .Case<LinearOp, GateUpOp, CombineOp>([&](auto op) { return columns(widthOf(op.getType())); })
      .Case([&](GroupedLinearOp op) {
        Items ofGroup = columns(widthOf(op.getType()) / op.getGroups());
        return Items{ofGroup.perUnit * op.getGroups(), ofGroup.extent};
      })
      .Case([&](ExpertHiddenOp op) { return columns(dim(op.getGate(), 1)); })
      .Case<RowwiseOp, EmbedOp>([&](auto) { return Items{1, rows}; })
      .Case<GatherOutputsOp, SampleOp>([&](auto) { return Items{1, Extent::Outputs}; })
      .Case([&](DispatchOp) { return Items{1, Extent::Constant}; })
      .Case([&](AttentionOp op) {
        auto keys = SymbolTable::lookupNearestSymbolFrom<CacheOp>(op, op.getKeysAttr());
        int64_t keyHeads = widthOf(keys.getType()) / int64_t(op.getHeadDim());
        int64_t group = widthOf(op.getQuery().getType()) / widthOf(keys.getType());
        return Items{keyHeads * blocksOfHeads(group), Extent::Sequences};
      })
      .Case<SelectPositionsOp, PoolBlocksOp>([&](auto) { return Items{1, Extent::Tokens}; })
      .Case([&](LatentAttentionOp op) { return Items{dim(op.getKeyUp(), 0), Extent::Sequences}; })
      .Case([&](AbsorbedAttentionOp op) { return Items{dim(op.getKeyUp(), 0), Extent::Tokens}; })
      .Default([](Operation *) { return std::nullopt; });
}

FailureOr<KernelUse> KernelTable::use(Operation *op, Extent rows) {
  KernelUse use;
  plan::KernelOp &kernel = kernels[keyOf(op, rows, use)];
  if (!kernel && failed(make(op, rows, use, kernel)))
    return failure();
  use.kernel = kernel;
  return use;
}

/// The weights of which `weight` is made: its numbers and scales, or itself.
static SmallVector<Value> partsOf(Value weight) {
  auto dequantize = weight.getDefiningOp<DequantizeOp>();
  return dequantize ? SmallVector<Value>(dequantize->getOperands()) : SmallVector<Value>{weight};
}

/// Kernels read all weights of a product with the same code.
static LogicalResult checkAlike(Operation *op, ValueRange weights) {
  for (Value weight : weights)
    if (weight && !isStoredAlike(weights.front(), weight))
      return op->emitOpError() << "expected weights stored in the same types and number formats; no kernel takes several";
  return success();
}

/// That there can be a kernel which reads the weights of `op` as they are stored.
static LogicalResult checkStorage(Operation *op) {
  bool readsPlain =
      !isa<LinearOp, GroupedLinearOp, GateUpOp, ExpertHiddenOp, CombineOp, LatentAttentionOp, AbsorbedAttentionOp>(op);
  if (readsPlain && llvm::any_of(op->getOperands(), [](Value value) { return bool(value.getDefiningOp<DequantizeOp>()); }))
    return op->emitOpError() << "expected weights of plain numbers; no kernel of this op dequantises them";
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([](GateUpOp op) { return checkAlike(op, {op.getGate(), op.getUp()}); })
      .Case([](ExpertHiddenOp op) { return checkAlike(op, {op.getGate(), op.getUp(), op.getSharedGate(), op.getSharedUp()}); })
      .Case([](CombineOp op) { return checkAlike(op, {op.getDown(), op.getSharedDown()}); })
      .Default(success());
}

/// The parts of the weight that `value` is; none for any other value.
SmallVector<int64_t> KernelTable::partRowsOf(Value value) const {
  auto get = value.getDefiningOp<GetWeightOp>();
  return get ? symbols.lookup<plan::WeightOp>(get.getWeightAttr().getAttr()).getPartRows() : SmallVector<int64_t>();
}

/// Everything that the code of a kernel for `op` depends on: addresses of unique data; numbers; values and caches as how many come
/// before them. `use` receives what `op` passes to the kernel.
KernelTable::Key KernelTable::keyOf(Operation *op, Extent rows, KernelUse &use) const {
  Key key{uintptr_t(rows)};
  auto add = [&](const void *unique) { key.push_back(reinterpret_cast<uintptr_t>(unique)); };
  DenseMap<Value, uintptr_t> numbers;
  auto define = [&](Value value) {
    numbers.try_emplace(value, numbers.size());
    add(value.getType().getAsOpaquePointer());
  };
  auto addCache = [&](FlatSymbolRefAttr symbol) {
    auto *known = llvm::find(use.caches, symbol);
    key.push_back(uintptr_t(known - use.caches.begin()));
    if (known != use.caches.end())
      return;
    use.caches.push_back(symbol);
    auto cache = symbols.lookup<plan::CacheOp>(symbol.getAttr());
    add(cache.getType().getAsOpaquePointer());
    key.push_back(cache.getBlock());
  };

  for (Value operand : op->getOperands())
    for (Value part : partsOf(operand)) {
      if (numbers.contains(part))
        continue;
      use.arguments.push_back(part);
      define(part);
      SmallVector<int64_t> partRows = partRowsOf(part);
      key.push_back(partRows.size());
      key.insert(key.end(), partRows.begin(), partRows.end());
    }
  for (Value operand : op->getOperands())
    if (auto dequantize = operand.getDefiningOp<DequantizeOp>(); dequantize && !numbers.contains(operand)) {
      add(dequantize.getFormat().getAsOpaquePointer());
      for (Value part : dequantize->getOperands())
        key.push_back(numbers.at(part));
      define(operand);
    }
  op->walk<WalkOrder::PreOrder>([&](Operation *nested) {
    add(nested->getName().getAsOpaquePointer());
    for (NamedAttribute attr : nested->getAttrDictionary()) {
      add(attr.getName().getAsOpaquePointer());
      if (auto symbol = dyn_cast<FlatSymbolRefAttr>(attr.getValue()))
        addCache(symbol);
      else
        add(attr.getValue().getAsOpaquePointer());
    }
    for (Value operand : nested->getOperands())
      key.push_back(numbers.at(operand));
    llvm::for_each(nested->getResults(), define);
    for (Region &region : nested->getRegions())
      llvm::for_each(region.getArguments(), define);
  });
  return key;
}

LogicalResult KernelTable::make(Operation *op, Extent rows, const KernelUse &use, plan::KernelOp &kernel) {
  if (failed(checkStorage(op)))
    return failure();
  SmallVector<Attribute> partRows;
  for (Value argument : use.arguments)
    partRows.push_back(builder.getDenseI64ArrayAttr(partRowsOf(argument)));
  RowCost cost = costOfRow(op, [](Value value) { return isa_and_nonnull<GetWeightOp, DequantizeOp>(value.getDefiningOp()); });
  kernel = plan::KernelOp::create(builder, op->getLoc(), nameFor(op->getName().stripDialect()), 1, rows, rows,
                                  builder.getArrayAttr(partRows), cost.flop, cost.weightBytes);
  std::optional<Items> items = itemsOf(cloneInto(kernel, op, use), rows);
  if (!items)
    return op->emitOpError() << "expected an op that one launch computes";
  kernel.setItemsPerUnit(items->perUnit);
  kernel.setExtent(items->extent);
  return success();
}

/// Makes the region of `kernel`: a copy of `op` whose caches are called cache0, cache1... in order of first use.
Operation *KernelTable::cloneInto(plan::KernelOp kernel, Operation *op, const KernelUse &use) {
  Block &body = kernel.getBody().emplaceBlock();
  IRMapping mapping;
  for (Value argument : use.arguments)
    mapping.map(argument, body.addArgument(argument.getType(), argument.getLoc()));
  OpBuilder inside = OpBuilder::atBlockBegin(&body);
  DenseMap<Attribute, FlatSymbolRefAttr> locals;
  for (auto [index, cache] : llvm::enumerate(use.caches)) {
    std::string local = "cache" + std::to_string(index);
    auto declared = symbols.lookup<plan::CacheOp>(cache.getAttr());
    CacheOp::create(inside, op->getLoc(), local, declared.getTypeAttr(), declared.getBlock());
    locals[cache] = FlatSymbolRefAttr::get(op->getContext(), local);
  }
  for (Value operand : op->getOperands())
    if (Operation *dequantize = operand.getDefiningOp<DequantizeOp>(); dequantize && !mapping.contains(operand))
      inside.clone(*dequantize, mapping);
  Operation *copy = inside.clone(*op, mapping);
  copy->walk([&](Operation *nested) {
    for (NamedAttribute attr : nested->getAttrs())
      if (FlatSymbolRefAttr local = locals.lookup(attr.getValue()))
        nested->setAttr(attr.getName(), local);
  });
  plan::ReturnOp::create(inside, op->getLoc(), copy->getResults());
  return copy;
}

/// A name that no other symbol has.
std::string KernelTable::nameFor(StringRef stem) {
  std::string name;
  do
    name = (stem + "_" + Twine(counts[stem]++)).str();
  while (symbols.lookup(name));
  return name;
}
