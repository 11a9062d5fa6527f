// Records what a reader of the artifact wants to know about the model.
#include "lowering/plan/Passes.h"

#include "dialects/moe/Functions.h"
#include "dialects/moe/Requantization.h"
#include "dialects/plan/Functions.h"
#include "lowering/plan/Schedule.h"
#include "runtime/schema/Artifact_generated.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace moec::lowering {
#define GEN_PASS_DEF_DESCRIBEMODEL
#include "lowering/plan/Passes.h.inc"
} // namespace moec::lowering

namespace {

//===- Routing --------------------------------------------------------------------------------------------------------------===//

/// The op that routes to the ids `value`, seen through groups; null when there is none.
Operation *routerOf(Value value) {
  while (auto group = value.getDefiningOp<RowwiseOp>())
    value = group.getBody().front().getTerminator()->getOperand(cast<OpResult>(value).getResultNumber());
  Operation *op = value.getDefiningOp();
  return isa_and_nonnull<RouteOp, FusedExpertsOp>(op) ? op : nullptr;
}

/// `routing` in words.
std::string describe(RoutingAttr routing, bool hasBias, bool hasTable) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << stringifyScore(routing.getScore()) << " scores";
  if (routing.getScore() == Score::SparseMixer)
    out << ", jitter epsilon " << double(routing.getJitterEpsilon());
  if (hasBias)
    out << ", chosen with a bias";
  if (hasTable)
    out << ", chosen by a table of token ids";
  if (routing.getGroups() > 1)
    out << ", in the best " << routing.getKeptGroups() << " of " << routing.getGroups() << " groups by "
        << stringifyGroupScore(routing.getGroupScore()) << ", others filled with " << stringifyMaskFill(routing.getMaskFill());
  if (routing.getRenormalize())
    out << ", weights renormalized";
  if (double(routing.getScale()) != 1)
    out << ", scaled by " << double(routing.getScale());
  return text;
}

void recordRouting(OpBuilder &builder, func::FuncOp function) {
  for (OpOperand &result : function.getBody().front().getTerminator()->getOpOperands()) {
    auto name = function.getResultAttrOfType<StringAttr>(result.getOperandNumber(), "moe.output");
    int64_t layer;
    StringRef text = name ? name.getValue() : "";
    if (!text.consume_front("routing.") || text.getAsInteger(10, layer) || layer < 0)
      continue;
    Operation *op = routerOf(result.get());
    if (!op)
      continue;
    auto route = dyn_cast<RouteOp>(op);
    auto fused = dyn_cast<FusedExpertsOp>(op);
    RoutingAttr routing = route ? route.getRouting() : fused.getRouting();
    int64_t experts = widthOf((route ? route.getLogits() : fused.getLogits()).getType());
    bool hasBias = bool(route ? route.getBias() : fused.getBias()), hasTable = route && route.getTable();
    auto record =
        plan::RoutingOp::create(builder, op->getLoc(), layer, experts, routing.getK(), describe(routing, hasBias, hasTable));
    // For the artifact's own record; the plan knows no more of it than of the model's folder.
    record->setAttr("moe.routing", routing);
    if (hasBias)
      record->setAttr("moe.selection_bias", builder.getUnitAttr());
    if (hasTable)
      record->setAttr("moe.token_table", builder.getUnitAttr());
  }
}

//===- The model ------------------------------------------------------------------------------------------------------------===//

/// The names of weights that are no parameters: those that only scale others, and tables of experts.
llvm::DenseSet<StringRef> namesOfOthers(ModuleOp module) {
  llvm::DenseSet<StringRef> names;
  auto add = [&](Value value) {
    auto argument = dyn_cast_or_null<BlockArgument>(value);
    if (auto group = argument ? dyn_cast<RowwiseOp>(argument.getOwner()->getParentOp()) : RowwiseOp())
      value = group.getInputs()[argument.getArgNumber()];
    if (auto get = value ? value.getDefiningOp<GetWeightOp>() : GetWeightOp())
      names.insert(get.getWeight());
  };
  module.walk([&](DequantizeOp op) { llvm::for_each(op->getOperands().drop_front(), add); });
  module.walk([&](RouteOp op) { add(op.getTable()); });
  return names;
}

/// What stands for `slice` when it is counted: of a file that is computed, what that is computed from.
Attribute storedAs(SliceAttr slice, ModuleOp module) {
  llvm::Expected<std::optional<Requantization>> file = findRequantization(module, slice.getFile());
  if (!file) {
    llvm::consumeError(file.takeError()); // whoever computes it says what is wrong
    return slice;
  }
  if (!*file)
    return slice;
  ArrayAttr slices = (*file)->values.slices;
  return slices.size() == 1 ? slices[0] : slices;
}

/// Elements of all parameters; a slice that several weights share counts once.
int64_t countParameters(ModuleOp module) {
  int64_t parameters = 0;
  llvm::DenseSet<Attribute> seen;
  llvm::DenseSet<StringRef> others = namesOfOthers(module);
  for (auto weight : module.getOps<WeightOp>()) {
    if (others.contains(weight.getSymName()))
      continue;
    auto type = cast<RankedTensorType>(weight.getType());
    int64_t rowElements = type.getNumElements() / type.getDimSize(0);
    for (auto slice : weight.getSlices().getAsRange<SliceAttr>())
      if (seen.insert(storedAs(slice, module)).second)
        parameters += slice.getAllRows() * rowElements;
  }
  return parameters;
}

/// Layers that keep keys and values: the distinct stems of caches called "layers.N.name".
int64_t countLayers(ModuleOp module) {
  llvm::SetVector<StringRef> layers;
  for (auto cache : module.getOps<CacheOp>())
    layers.insert(cache.getSymName().rsplit('.').first);
  return int64_t(layers.size());
}

bool usesBF16(ModuleOp module) {
  return module
      .walk([](Operation *op) {
        auto compute = op->getAttrOfType<ComputeAttr>("compute");
        return compute && compute.getValue() == Compute::BF16 ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

struct DescribeModel : lowering::impl::DescribeModelBase<DescribeModel> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (isOfFunctions(module))
      return describeFunctions(module);
    auto family = module->getAttrOfType<StringAttr>("moe.family");
    auto vocabulary = module->getAttrOfType<IntegerAttr>("moe.vocabulary");
    auto positions = module->getAttrOfType<IntegerAttr>("moe.max_positions");
    if (!family || !vocabulary || !positions) {
      module.emitOpError() << "expected the attributes 'moe.family', 'moe.vocabulary' and 'moe.max_positions' of an imported model";
      return signalPassFailure();
    }
    if (maxSequence < 0 || maxSequence > positions.getInt() || maxBatch < 1) {
      module.emitOpError() << "expected a sequence of at most the model's " << positions.getInt()
                           << " positions and a batch of at least 1, got " << int64_t(maxSequence) << " and " << int64_t(maxBatch);
      return signalPassFailure();
    }
    int64_t sequence = maxSequence ? int64_t(maxSequence) : std::min<int64_t>(positions.getInt(), 4096);
    int64_t pages = llvm::divideCeil(sequence, lowering::pageSize);
    if (constexpr auto most = int64_t(artifact::Layout::max_pages); maxBatch > most / pages) {
      module.emitOpError() << "expected at most " << most << " pages of " << lowering::pageSize << " positions in a cache, got "
                           << int64_t(maxBatch) << " sequences of " << pages
                           << " pages; give a smaller --max-batch or --max-sequence";
      return signalPassFailure();
    }
    SmallVector<int64_t> eos;
    if (auto ids = module->getAttrOfType<ArrayAttr>("moe.eos"))
      for (auto id : ids.getAsRange<IntegerAttr>())
        eos.push_back(id.getInt());

    auto builder = OpBuilder::atBlockBegin(module.getBody());
    plan::ModelOp::create(builder, module.getLoc(), family, vocabulary, builder.getI64IntegerAttr(countLayers(module)),
                          builder.getI64IntegerAttr(countParameters(module)), builder.getI64IntegerAttr(sequence),
                          builder.getI64IntegerAttr(maxBatch), builder.getI64IntegerAttr(lowering::pageSize),
                          module->getAttrOfType<IntegerAttr>("moe.bos"), builder.getDenseI64ArrayAttr(eos),
                          builder.getStringAttr(usesBF16(module) ? "bf16" : "f32"));
    auto functions = module.getOps<func::FuncOp>();
    if (!functions.empty() && !(*functions.begin()).isExternal()) // all phases route alike
      recordRouting(builder, *functions.begin());
  }

  static void describeFunctions(ModuleOp module) {
    auto builder = OpBuilder::atBlockBegin(module.getBody());
    auto family = module->getAttrOfType<StringAttr>("moe.family");
    plan::GraphOp::create(builder, module.getLoc(), family ? family.getValue() : "functions", countParameters(module));
  }
};

} // namespace
