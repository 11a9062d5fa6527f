// Attention of a step, over caches in place of keys and values of the past.
#include "passes/raise/StepBuilder.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::passes;

/// How many heads in a row have the same columns, of `heads` of them.
static int64_t repetitionOf(ArrayRef<Column> columns, int64_t heads) {
  int64_t dim = int64_t(columns.size()) / heads;
  auto head = [&](int64_t index) { return columns.slice(size_t(index * dim), size_t(dim)); };
  int64_t repetition = 1;
  while (repetition < heads && head(repetition) == head(0))
    ++repetition;
  for (int64_t index = 0; index < heads; ++index)
    if (heads % repetition || head(index) != head(index - index % repetition))
      return 1;
  return repetition;
}

/// One of every `repetition` heads.
static Columns withoutRepetition(ArrayRef<Column> columns, int64_t heads, int64_t repetition) {
  size_t dim = columns.size() / size_t(heads);
  Columns kept;
  for (size_t at = 0; at < columns.size(); at += dim * size_t(repetition))
    llvm::append_range(kept, columns.slice(at, dim));
  return kept;
}

void StepBuilder::append(const Context &context) {
  for (auto [past, fresh] : llvm::zip(context.past, context.fresh)) {
    Columns &columns = appended[past.from];
    columns.resize(std::max(columns.size(), size_t(past.index) + 1));
    columns[size_t(past.index)] = fresh;
  }
}

/// Softmax scales that models have, for heads that are so wide: of YaRN by a factor, multiplied by the square of what it multiplies
/// with.
static double usualScale(double scale, int64_t dim, ArrayRef<double> factors) {
  double plain = 1 / std::sqrt(double(dim));
  SmallVector<double> usual{plain};
  for (double factor : factors)
    for (double strength : {1.0, 0.707})
      usual.push_back(plain * std::pow(0.1 * strength * std::log(factor) + 1, 2));
  for (double candidate : usual)
    if (std::abs(scale - candidate) < 1e-6 * candidate)
      return candidate;
  return scale;
}

bool StepBuilder::convertAttention(moe::AttentionOp attention) {
  Location loc = attention.getLoc();
  if (!attention.getKeyRows())
    return refuse("attention has a cache");
  std::optional<Columns> query = rows.rowsOf(attention.getQuery());
  if (!query)
    return rowsFor(attention.getQuery()) != nullptr;
  std::optional<Context> keys = rows.contextOf(attention.getKeyRows()), values = rows.contextOf(attention.getValueRows());
  if (!keys || !values)
    return refuse("keys and values are not those of the past followed by those of the new tokens");
  std::optional<int64_t> window;
  if (attention.getWindow())
    window = int64_t(*attention.getWindow());
  CausalMatch seen = matchCausal({attention.getLengths(), attention.getFirst(), attention.getBias(), window}, arguments, masks);
  if (!seen.problem.empty())
    return refuse(seen.problem);
  // Graphs may repeat a head of keys and values for each head of the queries that it serves.
  int64_t dim = int64_t(attention.getHeadDim()), heads = int64_t(keys->fresh.size()) / dim;
  if (int64_t repetition = repetitionOf(keys->fresh, heads); repetition > 1 && repetitionOf(values->fresh, heads) == repetition)
    for (Context *context : {&*keys, &*values}) {
      context->fresh = withoutRepetition(context->fresh, heads, repetition);
      if (!context->past.empty())
        context->past = withoutRepetition(context->past, heads, repetition);
    }
  // Columns of heads may have changed places, of queries and keys alike.
  std::optional<SmallVector<int64_t>> order = orderInHeads(*query, dim, dim);
  bool isSame = order && orderInHeads(keys->fresh, dim, dim) == order;
  auto whole = [&](const Columns &columns) {
    return isSame && int64_t(columns.size()) == moe::widthOf(columns.front().from.getType()) ? columns.front().from
                                                                                             : rowsWith(columns, loc);
  };
  Value q = whole(*query), k = q ? whole(keys->fresh) : Value(), v = k ? rowsWith(values->fresh, loc) : Value();
  // Products of roots in f32 differ from the root that is meant by rounding.
  double scale = usualScale(attention.getScale().convertToDouble(), dim, factors);
  Value sinks = v && attention.getSinks() ? weightFor(attention.getSinks()) : Value();
  if (!v || (attention.getSinks() && !sinks))
    return false;
  for (const Context *context : {&*keys, &*values}) {
    append(*context);
    if (seen.window && !context->past.empty())
      windowed.insert(context->past.front().from);
  }
  FlatSymbolRefAttr keyCache = declareCache("keys", moe::widthOf(k.getType())),
                    valueCache = declareCache("values", moe::widthOf(v.getType()));
  ++layers;
  moe::AppendOp::create(builder, loc, ValueRange(k), batch, keyCache);
  moe::AppendOp::create(builder, loc, ValueRange(v), batch, valueCache);
  auto result =
      moe::AttentionOp::create(builder, loc, attention.getType(), q, batch, /*positions=*/Value(), sinks, keyCache, valueCache,
                               /*entries=*/FlatSymbolRefAttr(), dim, scale, seen.window,
                               /*chunk=*/std::nullopt);
  result.setSoftCapAttr(attention.getSoftCapAttr());
  rows.seat(attention.getResult(), result);
  return true;
}

/// Past keys and values of heads stand for latents that are not there: what is appended to them has to be made of latents of the
/// new tokens, as what the attention adds to them itself.
bool StepBuilder::appendHeads(moe::LatentAttentionOp attention, Value latents, ArrayRef<Column> key) {
  std::optional<Value> keys = rows.pastOf(attention.getPastKeys()), values = rows.pastOf(attention.getPastValues());
  if (!keys || !values)
    return refuse("past keys and values of heads are no arguments");
  if (keys == values)
    return refuse("past keys and values are one argument");
  expanded[*keys] = {latents, attention.getKeyUp(), Columns(key)};
  expanded[*values] = {latents, attention.getValueUp(), {}};
  return true;
}

bool StepBuilder::convertLatentAttention(moe::LatentAttentionOp attention) {
  Location loc = attention.getLoc();
  if (!attention.getLatents())
    return refuse("attention has a cache");
  std::optional<Columns> query = rows.rowsOf(attention.getQuery());
  if (!query)
    return rowsFor(attention.getQuery()) != nullptr;
  bool hasHeads = bool(attention.getPastKeys());
  std::optional<Context> latents;
  if (hasHeads) {
    if (std::optional<Columns> columns = rows.rowsOf(attention.getLatents()))
      latents = Context{{}, *columns};
  } else {
    latents = rows.contextOf(attention.getLatents());
  }
  if (!latents || latents->fresh.empty())
    return refuse("latents are not those of the past followed by those of the new tokens");
  CausalMatch seen =
      matchCausal({attention.getLengths(), attention.getFirst(), attention.getBias(), std::nullopt}, arguments, masks);
  if (!seen.problem.empty() || seen.window)
    return refuse(seen.window ? "attention to latents has a window" : seen.problem);

  // The rotated columns may have changed places, of queries and keys alike.
  auto keyUp = cast<RankedTensorType>(attention.getKeyUp().getType());
  int64_t nope = keyUp.getDimSize(1), latent = keyUp.getDimSize(2);
  int64_t all = int64_t(latents->fresh.size()), pe = all - latent, dim = nope + pe;
  ArrayRef<Column> c = ArrayRef(latents->fresh).take_front(size_t(latent)),
                   key = ArrayRef(latents->fresh).drop_front(size_t(latent));
  std::optional<SmallVector<int64_t>> order = orderInHeads(*query, dim, dim), turned = orderInHeads(key, pe, pe);
  bool isAlike = order && turned && int64_t(query->size()) == moe::widthOf(query->front().from.getType()) &&
                 pe == moe::widthOf(key.front().from.getType());
  for (int64_t column = 0; isAlike && column < dim; ++column)
    isAlike = (*order)[size_t(column)] == (column < nope ? column : nope + (*turned)[size_t(column - nope)]);
  if (!isAlike)
    return refuse("queries and keys of latent attention have columns in different orders");
  Value cRows = rowsWith(c, loc), keyUpWeight = cRows ? weightFor(attention.getKeyUp()) : Value();
  Value valueUpWeight = keyUpWeight ? weightFor(attention.getValueUp()) : Value();
  if (!valueUpWeight)
    return false;
  append(*latents);
  if (hasHeads && !appendHeads(attention, cRows, key))
    return false;
  Value keyRows = key.front().from;
  // As checkpoints have it, queries are turned before keys are made.
  if (auto turn = query->front().from.getDefiningOp<moe::RopeOp>())
    if (Operation *before = turn.getInput().getDefiningOp())
      turn->moveAfter(before);
  FlatSymbolRefAttr cache = declareCache("latent", all);
  ++layers;
  moe::AppendOp::create(builder, loc, ValueRange{cRows, keyRows}, batch, cache);
  double scale = usualScale(attention.getScale().convertToDouble(), dim, factors);
  Value result = moe::LatentAttentionOp::create(builder, loc, attention.getType(), query->front().from, batch, keyUpWeight,
                                                valueUpWeight, /*positions=*/Value(), cache, scale);
  rows.seat(attention.getResult(), result);
  return true;
}
