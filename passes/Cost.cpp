// What an op costs: arithmetic, memory traffic, launches.
#include "passes/Cost.h"

#include "dialects/moe/OutputRows.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::moe;
using namespace moec::passes;

Workload passes::typicalWorkload(func::FuncOp function) {
  auto phase = function->getAttrOfType<StringAttr>("moe.phase");
  return phase && phase == "prefill" ? typicalPrefill : typicalDecode;
}

Cost &Cost::operator+=(const Cost &other) {
  flop += other.flop;
  weightBytes += other.weightBytes;
  cacheBytes += other.cacheBytes;
  activationBytes += other.activationBytes;
  launches += other.launches;
  return *this;
}

double passes::roofline(const Cost &cost, double flopPerByte) { return std::max(cost.flop / flopPerByte, cost.bytes()); }

bool passes::isFree(Operation *op) { return op->hasTrait<OpTrait::ConstantLike>() || isa<GetWeightOp, DequantizeOp>(op); }

//===- Sizes -----------------------------------------------------------------------------------------------------------------===//

static ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

static double elementBytes(Type type) { return cast<RankedTensorType>(type).getElementTypeBitWidth() / 8.0; }

/// Bytes of a row of activations; 0 for anything else.
static double rowBytes(Type type) { return isRows(type) || isExpertIds(type) ? double(widthOf(type)) * elementBytes(type) : 0; }

static double bytesOf(Value weight) { return weight ? double(storedBytes(weight)) : 0; }

static double rowsBytes(TypeRange types, int64_t rows) {
  double bytes = 0;
  for (Type type : types)
    bytes += rowBytes(type) * double(rows);
  return bytes;
}

/// What enters and leaves one launch of `op`, with its weights read once.
static Cost traffic(Operation *op, int64_t rows) {
  Cost cost;
  cost.launches = 1;
  cost.activationBytes = rowsBytes(op->getOperandTypes(), rows) + rowsBytes(op->getResultTypes(), rows);
  for (Value operand : op->getOperands())
    if (isWeight(operand.getType()))
      cost.weightBytes += bytesOf(operand);
  return cost;
}

/// Bytes of a position's row of `cache`.
static double cacheRowBytes(Operation *op, FlatSymbolRefAttr cache, SymbolTableCollection &symbols) {
  auto declaration = symbols.lookupNearestSymbolFrom<CacheOp>(op, cache);
  return double(widthOf(declaration.getType())) * elementBytes(declaration.getType());
}

/// Bytes of a position's row of `cache`, or of `rows` where there is none.
static double positionBytes(Operation *op, FlatSymbolRefAttr cache, Value rows, SymbolTableCollection &symbols) {
  return cache ? cacheRowBytes(op, cache, symbols) : rowBytes(rows.getType());
}

/// Positions that share a row of `cache`.
static int64_t blockOf(Operation *op, FlatSymbolRefAttr cache, SymbolTableCollection &symbols) {
  return int64_t(symbols.lookupNearestSymbolFrom<CacheOp>(op, cache).getBlock());
}

/// Keys that all queries of a step see together, when each sees at most `limit` of the last ones.
static double visiblePairs(Workload workload, int64_t limit) {
  double pairs = 0;
  for (int64_t position = workload.context - workload.tokens; position < workload.context; ++position)
    pairs += double(std::min(position + 1, limit));
  return pairs;
}

//===- Attention ------------------------------------------------------------------------------------------------------------===//

static Cost attentionCost(AttentionOp op, Workload workload, int64_t rows, SymbolTableCollection &symbols) {
  Cost cost = traffic(op, rows);
  int64_t limit = std::min(int64_t(op.getWindow().value_or(workload.context)), int64_t(op.getChunk().value_or(workload.context)));
  double query = double(widthOf(op.getQuery().getType())), result = double(widthOf(op.getType()));
  cost.flop = 2 * (query + result) * visiblePairs(workload, limit);
  double cached = double(std::min(workload.context, limit + workload.tokens - 1));
  cost.cacheBytes = cached * (positionBytes(op, op.getKeysAttr(), op.getKeyRows(), symbols) +
                              positionBytes(op, op.getValuesAttr(), op.getValueRows(), symbols));
  if (op.getEntries()) {
    double entries = double(workload.context) / double(blockOf(op, op.getEntriesAttr(), symbols));
    double seen = op.getPositions() ? std::min(entries, double(widthOf(op.getPositions().getType()))) : entries;
    cost.flop += 2 * (query + result) * seen * double(workload.tokens);
    cost.cacheBytes += std::min(entries, seen * double(workload.tokens)) * cacheRowBytes(op, op.getEntriesAttr(), symbols);
  }
  return cost;
}

/// Every row of a step is pooled once, twice where blocks overlap; a token alone may have to read a whole block.
static Cost poolingCost(PoolBlocksOp op, Workload workload, int64_t rows, SymbolTableCollection &symbols) {
  Cost cost = traffic(op, rows);
  double columns = double(widthOf(op.getBias().getType()));
  cost.flop = 4 * columns * double(workload.tokens);
  cost.cacheBytes = double(workload.tokens) * cacheRowBytes(op, op.getCacheAttr(), symbols);
  return cost;
}

namespace {
/// The sizes that both forms of a latent attention share.
struct Latent {
  double heads, nope, value, latent, pe;
  FlatSymbolRefAttr cache;
  Value rows;                    ///< where there is no cache
  std::optional<int64_t> listed; ///< positions that a token attends to at most

  template <typename Op> static Latent of(Op op) {
    ArrayRef<int64_t> keyUp = shapeOf(op.getKeyUp());
    double perHead = double(widthOf(op.getQuery().getType())) / double(keyUp[0]);
    Latent latent{double(keyUp[0]),
                  double(keyUp[1]),
                  double(shapeOf(op.getValueUp())[1]),
                  double(keyUp[2]),
                  perHead - double(keyUp[1]),
                  op.getCacheAttr(),
                  op.getLatents(),
                  std::nullopt};
    if (op.getPositions())
      latent.listed = widthOf(op.getPositions().getType());
    return latent;
  }
  static Latent of(Operation *op) {
    if (auto latent = dyn_cast<LatentAttentionOp>(op))
      return of(latent);
    return of(cast<AbsorbedAttentionOp>(op));
  }
};
} // namespace

static Cost latentTraffic(Operation *op, const Latent &sizes, Workload workload, SymbolTableCollection &symbols) {
  Cost cost = traffic(op, workload.tokens);
  // Lists of several tokens are taken to be of different positions.
  int64_t read = std::min(workload.context, sizes.listed ? *sizes.listed * workload.tokens : workload.context);
  cost.cacheBytes = double(read) * positionBytes(op, sizes.cache, sizes.rows, symbols);
  return cost;
}

Cost passes::expandedAttentionCost(Operation *op, Workload workload, SymbolTableCollection &symbols) {
  Latent sizes = Latent::of(op);
  Cost cost = latentTraffic(op, sizes, workload, symbols);
  double expandKeysAndValues = sizes.latent * (sizes.nope + sizes.value) * double(workload.context);
  double attend = (sizes.nope + sizes.pe + sizes.value) * visiblePairs(workload, sizes.listed.value_or(workload.context));
  cost.flop = 2 * sizes.heads * (expandKeysAndValues + attend);
  return cost;
}

Cost passes::absorbedAttentionCost(Operation *op, Workload workload, SymbolTableCollection &symbols) {
  Latent sizes = Latent::of(op);
  Cost cost = latentTraffic(op, sizes, workload, symbols);
  double projectQueriesAndResults = sizes.latent * (sizes.nope + sizes.value) * double(workload.tokens);
  double attend = (2 * sizes.latent + sizes.pe) * visiblePairs(workload, sizes.listed.value_or(workload.context));
  cost.flop = 2 * sizes.heads * (projectQueriesAndResults + attend);
  return cost;
}

/// Every query against every key, of heads that share it.
static Cost selectionCost(SelectPositionsOp op, Workload workload, int64_t rows, SymbolTableCollection &symbols) {
  Cost cost = traffic(op, rows);
  double block = double(blockOf(op, op.getCacheAttr(), symbols));
  cost.flop = 2 * double(widthOf(op.getQuery().getType())) * visiblePairs(workload, workload.context) / block;
  cost.cacheBytes = double(workload.context) / block * cacheRowBytes(op, op.getCacheAttr(), symbols);
  return cost;
}

//===- Experts --------------------------------------------------------------------------------------------------------------===//

/// A gated MLP of `intermediate` columns: three products and a buffer between the two launches.
static void addGatedMLP(Cost &cost, double rows, double in, double intermediate, double out) {
  cost.flop += rows * intermediate * (4 * in + 2 * out);
  cost.activationBytes += 2 * 4 * rows * intermediate;
}

/// Chosen experts of `rows` tokens: launches for dispatch, hidden and combine; of the weights only what distinct experts hold.
template <typename Op> static Cost expertsCost(Op op, Value result, int64_t k, int64_t rows) {
  Cost cost = traffic(op, rows);
  ArrayRef<int64_t> gate = shapeOf(op.getGate());
  double experts = double(gate[0]), untouched = std::pow(1 - double(k) / experts, double(rows));
  double all = bytesOf(op.getGate()) + bytesOf(op.getUp()) + bytesOf(op.getDown());
  cost.weightBytes -= all * untouched;
  cost.launches = 3;
  addGatedMLP(cost, double(rows * k), double(gate[2]), double(gate[1]), double(widthOf(result.getType())));
  return cost;
}

static double routeFlop(Value logits, RoutingAttr routing, int64_t rows) {
  return double(rows) * double(widthOf(logits.getType())) * double(routing.getK() + 2);
}

static Cost fusedExpertsCost(FusedExpertsOp op, int64_t rows) {
  Cost cost = expertsCost(op, op.getResult(), op.getRouting().getK(), rows);
  cost.launches += 1;
  cost.flop += routeFlop(op.getLogits(), op.getRouting(), rows);
  if (op.getSharedGate())
    addGatedMLP(cost, double(rows), double(shapeOf(op.getSharedGate())[1]), double(shapeOf(op.getSharedGate())[0]),
                double(widthOf(op.getResult().getType())));
  return cost;
}

//===- All ops --------------------------------------------------------------------------------------------------------------===//

/// FLOP of a row-wise op: one for each element and elementary operation.
static double rowwiseFlop(Operation *op, int64_t rows) {
  if (isa<ColumnsOp, AppendOp>(op))
    return 0;
  if (auto route = dyn_cast<RouteOp>(op))
    return routeFlop(route.getLogits(), route.getRouting(), rows);
  double elements = double(rows) * double(widthOf(op->getResult(0).getType()));
  if (auto rope = dyn_cast<RopeOp>(op))
    return 3 * elements * double(rope.getRotary().getDims()) / double(rope.getHeadDim());
  if (auto merge = dyn_cast<MergeStreamsOp>(op))
    return 2 * double(rows) * double(widthOf(merge.getStreams().getType()));
  if (auto mix = dyn_cast<MixStreamsOp>(op))
    return elements * (1 + 2 * double(widthOf(mix.getType())) / double(widthOf(mix.getInput().getType())));
  if (auto weights = dyn_cast<StreamWeightsOp>(op))
    return elements * (4 + 4 * double(weights.getIterations()));
  return elements * (isa<RMSNormOp, ActivateOp>(op) ? 4 : 1);
}

static double rowwiseCacheBytes(Operation *op, int64_t rows, SymbolTableCollection &symbols) {
  auto append = dyn_cast<AppendOp>(op);
  if (!append)
    return 0;
  double block = double(blockOf(append, append.getCacheAttr(), symbols));
  return double(rows) / block * cacheRowBytes(append, append.getCacheAttr(), symbols);
}

static Cost rowwiseCost(Operation *op, int64_t rows, SymbolTableCollection &symbols) {
  Cost cost = traffic(op, rows);
  op->walk([&](Operation *inner) {
    if (!isRowwise(inner))
      return;
    cost.flop += rowwiseFlop(inner, rows);
    cost.cacheBytes += rowwiseCacheBytes(inner, rows, symbols);
  });
  // Of a table of ids only the tokens' rows are read, and of a buffer whose columns are taken only those.
  if (auto route = dyn_cast<RouteOp>(op); route && route.getTable())
    cost.weightBytes -= bytesOf(route.getTable());
  if (auto columns = dyn_cast<ColumnsOp>(op))
    cost.activationBytes = 2 * double(rows) * rowBytes(columns.getType());
  return cost;
}

/// Whether `op` takes columns that row-wise ops will read where they lie.
static bool isView(Operation *op) { return isa<ColumnsOp>(op) && llvm::all_of(op->getUsers(), isRowwise); }

Cost passes::costOf(Operation *op, Workload workload, int64_t rows, SymbolTableCollection &symbols) {
  if (isFree(op) || op->hasTrait<OpTrait::IsTerminator>() || isView(op))
    return {};
  if (isRowwise(op) || isa<RowwiseOp>(op))
    return rowwiseCost(op, rows, symbols);
  return TypeSwitch<Operation *, Cost>(op)
      .Case([&](AttentionOp op) { return attentionCost(op, workload, rows, symbols); })
      .Case([&](SelectPositionsOp op) { return selectionCost(op, workload, rows, symbols); })
      .Case([&](PoolBlocksOp op) { return poolingCost(op, workload, rows, symbols); })
      .Case([&](LatentAttentionOp op) { return expandedAttentionCost(op, workload, symbols); })
      .Case([&](AbsorbedAttentionOp op) { return absorbedAttentionCost(op, workload, symbols); })
      .Case([&](ExpertsOp op) { return expertsCost(op, op.getResult(), widthOf(op.getIds().getType()), rows); })
      .Case([&](FusedExpertsOp op) { return fusedExpertsCost(op, rows); })
      .Case([&](GatedMLPOp op) {
        Cost cost = traffic(op, rows);
        cost.launches = 2;
        ArrayRef<int64_t> gate = shapeOf(op.getGate());
        addGatedMLP(cost, double(rows), double(gate[1]), double(gate[0]), double(widthOf(op.getType())));
        return cost;
      })
      .Case<LinearOp, GateUpOp>([&](auto op) {
        Cost cost = traffic(op, rows);
        double products = isa<GateUpOp>(op.getOperation()) ? 2 : 1;
        cost.flop = 2 * products * double(rows) * double(widthOf(op.getInput().getType())) * double(widthOf(op.getType()));
        return cost;
      })
      .Case([&](GroupedLinearOp op) {
        Cost cost = traffic(op, rows);
        cost.flop = 2 * double(rows) * double(widthOf(op.getWeight().getType())) * double(widthOf(op.getType()));
        return cost;
      })
      .Case([&](EmbedOp op) {
        Cost cost = traffic(op, rows);
        cost.weightBytes = double(rows * widthOf(op.getTable().getType())) * elementBytes(op.getTable().getType());
        return cost;
      })
      .Default([&](Operation *op) { return traffic(op, rows); });
}

Cost passes::costOf(func::FuncOp function, Workload workload) {
  OutputRows outputs(function);
  SymbolTableCollection symbols;
  Cost cost;
  // One sequence has one output; the bodies of groups are part of their op's cost.
  for (Operation &op : function.getBody().front())
    cost += costOf(&op, workload, outputs.areReadBy(&op) ? 1 : workload.tokens, symbols);
  return cost;
}
