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
      .Case([&](ExpertHiddenOp op) { return columns(dim(op.getGate(), 1)); })
      .Case<RowwiseOp, EmbedOp>([&](auto) { return Items{1, rows}; })
      .Case([&](GatherOutputsOp) { return Items{1, Extent::Outputs}; })
      .Case([&](DispatchOp) { return Items{1, Extent::Constant}; })
      .Case([&](AttentionOp op) {
        auto keys = SymbolTable::lookupNearestSymbolFrom<CacheOp>(op, op.getKeysAttr());
        return Items{widthOf(keys.getType()) / int64_t(op.getHeadDim()), Extent::Sequences};
      })
      .Case([&](LatentAttentionOp op) { return Items{dim(op.getKeyUp(), 0), Extent::Sequences}; })
      .Case([&](AbsorbedAttentionOp op) { return Items{dim(op.getKeyUp(), 0), Extent::Tokens}; })
      .Default([](Operation *) { return std::nullopt; });
}

FailureOr<KernelUse> KernelTable::use(Operation *op, Extent rows) {
  FailureOr<KernelUse> use = make(op, rows);
  if (failed(use))
    return failure();
  auto [entry, isNew] = kernels.try_emplace(keyOf(use->kernel), use->kernel);
  if (isNew) {
    name(use->kernel, op->getName().stripDialect());
  } else {
    use->kernel.erase();
    use->kernel = entry->second;
  }
  return use;
}

FailureOr<KernelUse> KernelTable::make(Operation *op, Extent rows) {
  KernelUse use;
  SmallVector<Attribute> partRows;
  for (Value operand : op->getOperands()) {
    if (llvm::is_contained(use.arguments, operand))
      continue;
    use.arguments.push_back(operand);
    SmallVector<int64_t> rowsOfParts;
    if (auto get = operand.getDefiningOp<GetWeightOp>())
      rowsOfParts = symbols.lookup<plan::WeightOp>(get.getWeight()).getPartRows();
    partRows.push_back(builder.getDenseI64ArrayAttr(rowsOfParts));
  }
  RowCost cost = costOfRow(op, [](Value value) { return bool(value.getDefiningOp<GetWeightOp>()); });
  use.kernel =
      plan::KernelOp::create(builder, op->getLoc(), "", 1, rows, rows, builder.getArrayAttr(partRows), cost.flop, cost.weightBytes);
  std::optional<Items> items = itemsOf(cloneInto(use.kernel, op, use), rows);
  if (!items)
    return op->emitOpError() << "expected an op that one launch computes";
  use.kernel.setItemsPerUnit(items->perUnit);
  use.kernel.setExtent(items->extent);
  return use;
}

/// Makes the region of `kernel`: a copy of `op` whose caches are called cache0, cache1... in order of first use.
Operation *KernelTable::cloneInto(plan::KernelOp kernel, Operation *op, KernelUse &use) {
  Block &body = kernel.getBody().emplaceBlock();
  IRMapping mapping;
  for (Value argument : use.arguments)
    mapping.map(argument, body.addArgument(argument.getType(), argument.getLoc()));
  OpBuilder inside = OpBuilder::atBlockBegin(&body);
  Operation *copy = op->clone(mapping);

  copy->walk([&](Operation *nested) {
    for (NamedAttribute attr : nested->getAttrs()) {
      auto symbol = dyn_cast<FlatSymbolRefAttr>(attr.getValue());
      if (!symbol)
        continue;
      auto *known = llvm::find(use.caches, symbol);
      std::string local = "cache" + std::to_string(known - use.caches.begin());
      if (known == use.caches.end()) {
        use.caches.push_back(symbol);
        CacheOp::create(inside, op->getLoc(), local, symbols.lookup<plan::CacheOp>(symbol.getValue()).getTypeAttr());
      }
      nested->setAttr(attr.getName(), FlatSymbolRefAttr::get(op->getContext(), local));
    }
  });
  inside.insert(copy);
  plan::ReturnOp::create(inside, op->getLoc(), copy->getResults());
  return copy;
}

/// Everything that the code of `kernel` depends on: pointers to unique data, values as their numbers.
KernelTable::Key KernelTable::keyOf(plan::KernelOp kernel) {
  Key key{kernel.getPartRowsAttr().getAsOpaquePointer(), reinterpret_cast<const void *>(uintptr_t(kernel.getRows())),
          reinterpret_cast<const void *>(uintptr_t(kernel.getItemsPerUnit()))};
  DenseMap<Value, uintptr_t> numbers;
  auto define = [&](ValueRange values) {
    for (Value value : values) {
      numbers.try_emplace(value, numbers.size());
      key.push_back(value.getType().getAsOpaquePointer());
    }
  };
  define(kernel.getBody().getArguments());
  kernel.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    key.push_back(op->getName().getAsOpaquePointer());
    key.push_back(op->getAttrDictionary().getAsOpaquePointer());
    for (Value operand : op->getOperands())
      key.push_back(reinterpret_cast<const void *>(numbers.at(operand)));
    define(op->getResults());
    for (Region &region : op->getRegions())
      define(region.getArguments());
  });
  return key;
}

void KernelTable::name(plan::KernelOp kernel, StringRef stem) {
  std::string name;
  do
    name = (stem + "_" + Twine(counts[stem]++)).str();
  while (symbols.lookup(name));
  kernel.setSymName(name);
}
