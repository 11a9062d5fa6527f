// Verification, builders and effects of attention.
#include "dialects/moe/Verification.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace moec::moe;

/// C1 and C2 of attention: `keys` and `values` are widths of caches or rows.
static LogicalResult verifyHeads(AttentionOp op, int64_t keys, int64_t values) {
  int64_t headDim = op.getHeadDim(), heads = widthOf(op.getQuery().getType()) / headDim, kvHeads = keys / headDim;
  if (keys % headDim || kvHeads == 0 || heads % kvHeads || values % kvHeads)
    return op.emitOpError() << "C1: expected key/value heads of " << headDim << " columns that divide " << heads
                            << " heads, got keys and values " << keys << " and " << values << " wide";
  int64_t expected = heads * (values / kvHeads);
  if (widthOf(op.getType()) != expected)
    return op.emitOpError() << "C2: expected a result " << expected << " wide, got " << widthOf(op.getType());
  return success();
}

LogicalResult AttentionOp::verify() {
  int64_t width = widthOf(getQuery().getType());
  if (width % getHeadDim())
    return emitOpError() << "C1: expected head_dim to divide " << width << " columns, got " << getHeadDim();
  if (getSinks() && !hasShape(getSinks(), {width / int64_t(getHeadDim())}))
    return emitOpError() << "C3: expected one sink for each of " << width / int64_t(getHeadDim()) << " heads, got "
                         << getSinks().getType();
  if (getWindow() && getChunk())
    return emitOpError() << "C4: expected at most one of 'window' and 'chunk'";
  if (getPositions() && !getEntries())
    return emitOpError() << "C5: expected a cache of entries beside their lists";
  bool ofCaches = getBatch() && getKeys() && getValues(), ofRows = getKeyRows() && getValueRows() && getLengths();
  if (ofCaches ? bool(getKeyRows() || getValueRows() || getLengths() || getFirst() || getBias())
               : !ofRows || getBatch() || getKeys() || getValues() || getEntries() || getChunk())
    return emitOpError() << "C6: expected caches and a batch, or rows of keys and values and their numbers";
  if (ofCaches)
    return success();
  if (getWindow() && !getFirst())
    return emitOpError() << "C6: expected positions of first queries, after 'from', beside 'window'";
  return verifyHeads(*this, widthOf(getKeyRows().getType()), widthOf(getValueRows().getType()));
}

LogicalResult AttentionOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!getBatch())
    return success();
  CacheOp keys = lookUpCache(*this, symbols, getKeysAttr(), "C1");
  CacheOp values = keys ? lookUpCache(*this, symbols, getValuesAttr(), "C1") : CacheOp();
  if (!values || failed(verifyHeads(*this, widthOf(keys.getType()), widthOf(values.getType()))))
    return failure();
  CacheOp entries = getEntries() ? lookUpCache(*this, symbols, getEntriesAttr(), "C5") : CacheOp();
  if (getEntries() && !entries)
    return failure();
  if (entries && (widthOf(entries.getType()) != widthOf(keys.getType()) || widthOf(entries.getType()) != widthOf(values.getType())))
    return emitOpError() << "C5: expected entries as wide as keys and values, got " << widthOf(entries.getType()) << ", "
                         << widthOf(keys.getType()) << " and " << widthOf(values.getType());
  return success();
}

LogicalResult SelectPositionsOp::verifySymbolUses(SymbolTableCollection &symbols) {
  CacheOp cache = lookUpCache(*this, symbols, getCacheAttr(), "C1");
  if (!cache)
    return failure();
  int64_t query = widthOf(getQuery().getType()), heads = widthOf(getWeights().getType()), width = widthOf(cache.getType());
  if (query != heads * width)
    return emitOpError() << "C1: expected a query of " << heads << " rows of the cache's " << width << ", got " << query
                         << " columns";
  return success();
}

LogicalResult PoolBlocksOp::verify() {
  ArrayRef<int64_t> bias = shapeOf(getBias());
  if (bias.size() != 2)
    return emitOpError() << "C1: expected a bias [positions, width], got " << getBias().getType();
  if (widthOf(getType()) != bias[1] && widthOf(getType()) * 2 != bias[1])
    return emitOpError() << "C2: expected a result " << bias[1] << " wide, or half as wide, got " << widthOf(getType());
  return success();
}

LogicalResult PoolBlocksOp::verifySymbolUses(SymbolTableCollection &symbols) {
  CacheOp cache = lookUpCache(*this, symbols, getCacheAttr(), "C1");
  if (!cache)
    return failure();
  int64_t expected = 2 * widthOf(getBias().getType());
  if (widthOf(cache.getType()) != expected || cache.getBlock() != 1)
    return emitOpError() << "C1: expected a cache with a row for each position, " << expected << " wide, got one "
                         << widthOf(cache.getType()) << " wide for every " << cache.getBlock();
  return success();
}

/// C2 and C3 of latent attention: `width` is that of a cache or of rows.
template <typename LatentOp> static LogicalResult verifyLatentWidth(LatentOp op, int64_t width) {
  ArrayRef<int64_t> keyUp = shapeOf(op.getKeyUp());
  int64_t pe = width - keyUp[2];
  if (pe <= 0)
    return op.emitOpError() << "C3: expected rows wider than the latent's " << keyUp[2] << ", got " << width;
  int64_t expected = keyUp[0] * (keyUp[1] + pe);
  if (widthOf(op.getQuery().getType()) != expected)
    return op.emitOpError() << "C2: expected a query " << expected << " wide, got " << widthOf(op.getQuery().getType());
  return success();
}

template <typename LatentOp> static LogicalResult verifyLatent(LatentOp op) {
  ArrayRef<int64_t> keyUp = shapeOf(op.getKeyUp()), valueUp = shapeOf(op.getValueUp());
  if (keyUp.size() != 3 || valueUp.size() != 3 || keyUp[0] != valueUp[0] || keyUp[2] != valueUp[2])
    return op.emitOpError() << "C1: expected key_up [heads, nope, latent] and value_up [heads, value, latent], got "
                            << op.getKeyUp().getType() << " and " << op.getValueUp().getType();
  if (widthOf(op.getType()) != valueUp[0] * valueUp[1])
    return op.emitOpError() << "C2: expected a result " << valueUp[0] * valueUp[1] << " wide, got " << widthOf(op.getType());
  bool ofCache = op.getBatch() && op.getCache(), ofRows = op.getLatents() && op.getLengths();
  if (ofCache ? bool(op.getLatents() || op.getLengths() || op.getFirst() || op.getBias() || op.getPastKeys() || op.getPastValues())
              : !ofRows || op.getBatch() || op.getCache() || op.getPositions())
    return op.emitOpError() << "C4: expected a cache and a batch, or rows of latents and numbers of keys";
  if (ofCache)
    return success();
  if (bool(op.getPastKeys()) != bool(op.getPastValues()) ||
      (op.getPastKeys() && (widthOf(op.getPastKeys().getType()) != widthOf(op.getQuery().getType()) ||
                            widthOf(op.getPastValues().getType()) != widthOf(op.getType()))))
    return op.emitOpError() << "C4: expected past keys as wide as the query and past values as wide as the result";
  return verifyLatentWidth(op, widthOf(op.getLatents().getType()));
}

template <typename LatentOp> static LogicalResult verifyLatentCache(LatentOp op, SymbolTableCollection &symbols) {
  if (!op.getBatch())
    return success();
  CacheOp cache = lookUpCache(op, symbols, op.getCacheAttr(), "C3");
  return cache ? verifyLatentWidth(op, widthOf(cache.getType())) : failure();
}

LogicalResult LatentAttentionOp::verify() { return verifyLatent(*this); }
LogicalResult AbsorbedAttentionOp::verify() {
  if (getPastKeys() || getPastValues())
    return emitOpError() << "C5: expected no keys of heads beside latents";
  return verifyLatent(*this);
}
LogicalResult LatentAttentionOp::verifySymbolUses(SymbolTableCollection &symbols) { return verifyLatentCache(*this, symbols); }
LogicalResult AbsorbedAttentionOp::verifySymbolUses(SymbolTableCollection &symbols) { return verifyLatentCache(*this, symbols); }

void AttentionOp::build(OpBuilder &builder, OperationState &state, Type result, Value query, Value batch, Value positions,
                        Value sinks, FlatSymbolRefAttr keys, FlatSymbolRefAttr values, FlatSymbolRefAttr entries, int64_t headDim,
                        double scale, std::optional<int64_t> window, std::optional<int64_t> chunk) {
  auto count = [&](std::optional<int64_t> number) { return number ? builder.getI64IntegerAttr(*number) : IntegerAttr(); };
  build(builder, state, result, query, batch, positions, sinks, {}, {}, {}, {}, {}, keys, values, entries,
        builder.getI64IntegerAttr(headDim), builder.getF64FloatAttr(scale), count(window), count(chunk), FloatAttr(),
        ComputeAttr::get(builder.getContext(), Compute::F32));
}

void AttentionOp::build(OpBuilder &builder, OperationState &state, Type result, Value query, Value keyRows, Value valueRows,
                        const Attended &attended, Value sinks, int64_t headDim, double scale, std::optional<int64_t> window,
                        std::optional<double> softCap) {
  build(builder, state, result, query, {}, {}, sinks, keyRows, valueRows, attended.lengths, attended.first, attended.bias, {}, {},
        {}, builder.getI64IntegerAttr(headDim), builder.getF64FloatAttr(scale),
        window ? builder.getI64IntegerAttr(*window) : IntegerAttr(), IntegerAttr(),
        softCap ? builder.getF64FloatAttr(*softCap) : FloatAttr(), ComputeAttr::get(builder.getContext(), Compute::F32));
}

/// What reads a cache stays in its place among what writes them; what reads rows may go anywhere.
static void addEffects(Value batch, SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  if (!batch)
    return;
  effects.emplace_back(MemoryEffects::Read::get());
  effects.emplace_back(MemoryEffects::Write::get());
}

void AttentionOp::getEffects(SmallVectorImpl<MemoryEffects::EffectInstance> &effects) { addEffects(getBatch(), effects); }
void LatentAttentionOp::getEffects(SmallVectorImpl<MemoryEffects::EffectInstance> &effects) { addEffects(getBatch(), effects); }
void AbsorbedAttentionOp::getEffects(SmallVectorImpl<MemoryEffects::EffectInstance> &effects) { addEffects(getBatch(), effects); }
