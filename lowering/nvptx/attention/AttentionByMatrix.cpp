// The two stages of attention with grouped heads.
#include "lowering/nvptx/attention/AttentionByMatrix.h"

#include "lowering/kernel/Functions.h"
#include "lowering/nvptx/attention/SpanCost.h"

#include <numbers>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// What spans leave for each other is a small part of what they read where keys and values are read for a few heads only.
static constexpr int64_t shortestSpan = 256;

/// If more blocks have a token and heads to work on, each takes all spans of them: there are enough to fill a GPU, and the many
/// without a span would take longer to come and go than those with one to work.
static constexpr int64_t fewBlocks = 256;

static SpanAttention::Heads headsOf(const AttentionOperands &operands) { return {operands.keyHeads, operands.group}; }

static MatrixAttention::Shape shapeOf(const AttentionOperands &operands, moe::AttentionOp op) {
  MatrixAttention::Shape shape{.keyWidth = operands.headDim,
                               .valueWidth = operands.valueDim,
                               .valuesAreKeys = op.getKeys() == op.getValues(),
                               .scale = op.getScale().convertToDouble()};
  if (op.getSoftCap())
    shape.softCap = op.getSoftCap()->convertToDouble();
  return shape;
}

/// Entries of neighbouring blocks may lie in different pages.
static MatrixAttention::Shape entryShapeOf(const AttentionOperands &operands, moe::AttentionOp op) {
  MatrixAttention::Shape shape = shapeOf(operands, op);
  shape.valuesAreKeys = shape.isGathered = true;
  return shape;
}

/// Of rows that a token attends to: positions, and entries if there are any.
static int64_t kindCount(const AttentionOperands &operands) { return operands.entries ? 2 : 1; }

/// Shared memory of the factors of one more span of each kind.
static int64_t bytesOfFactors(const AttentionOperands &operands) {
  return operands.group * kindCount(operands) * int64_t(sizeof(float));
}

static SmallVector<Spans, 2> kindsOf(const KernelFrame &frame, const AttentionOperands &operands, moe::AttentionOp op) {
  int64_t window = int64_t(op.getWindow().value_or(op.getChunk().value_or(0))), heads = operands.keyHeads * operands.group;
  const SpanSizes sizes{.blocks = operands.keyHeads * SpanAttention::tileOf(headsOf(operands)).groups,
                        .bytesOfRow = operands.keyHeads * (operands.headDim + operands.valueDim) * bytesOf(frame.b.bf16),
                        .bytesOfSums = kindCount(operands) * SpanSums::bytesOf(heads, operands.valueDim),
                        .mostSpans = frame.b.target.sharedBytes / bytesOfFactors(operands)};
  // A window fills few, which are as long as at any position.
  int64_t most = window ? usualSpansOf(sizes) : chooseMostSpans(frame, sizes, shortestSpan, operands.keys);
  SmallVector<Spans, 2> kinds{Spans::forRows(shortestSpan, most, window)};
  if (operands.entries)
    kinds.push_back(Spans::forList(shortestSpan, most, operands.listed));
  return kinds;
}

bool AttentionByMatrix::covers(const Target &target, const AttentionOperands &operands, moe::AttentionOp op) {
  int64_t rowTiles = SpanAttention::tileOf(headsOf(operands)).rowTiles;
  return target.hasMatrixUnits && op.getCompute() == moe::Compute::BF16 && operands.keys.base.element.isBF16() &&
         operands.values.base.element.isBF16() && bytesOfFactors(operands) <= target.sharedBytes &&
         MatrixAttention::fits(target, shapeOf(operands, op), rowTiles) &&
         (!operands.entries ||
          (operands.entries->base.element.isBF16() && MatrixAttention::fits(target, entryShapeOf(operands, op), rowTiles)));
}

AttentionByMatrix::AttentionByMatrix(KernelFrame &frame, const AttentionOperands &operands, moe::AttentionOp op)
    : frame(frame), b(frame.b), operands(operands), op(op), order(frame, stageCount),
      sums(frame, kindsOf(frame, operands, op), operands.keyHeads * operands.group, operands.valueDim),
      spans(frame, operands.batch, headsOf(operands), shapeOf(operands, op), sums),
      takesAll(frame.tokens * (spans.piecesOfToken() / spans.spansOfToken()) > fewBlocks) {
  if (operands.entries)
    entrySpans.emplace(frame, operands.batch, headsOf(operands), entryShapeOf(operands, op), sums, /*kind=*/1);
  if (operands.listed)
    lists.emplace(b, operands.lists, operands.listed);
}

Number AttentionByMatrix::queryPair(Number token, Number head, Number column) {
  return packBf16((operands.query + token * operands.queryWidth + head * operands.headDim + column).load(2, 8));
}

void AttentionByMatrix::attend(Number piece) {
  auto query = [&](Number token, Number head, Number column) { return queryPair(token, head, column); };
  auto keyRow = [&](const SpanAttention::Reader &reader, Number position) {
    return frame.cacheRow(operands.keys, operands.batch, reader.sequence, position) + reader.keyHead * operands.headDim;
  };
  auto valueRow = [&](const SpanAttention::Reader &reader, Number position) {
    return frame.cacheRow(operands.values, operands.batch, reader.sequence, position) + reader.keyHead * operands.valueDim;
  };
  auto firstSeen = [&](Number position) { return firstVisible(op, position); };
  SpanAttention::Inputs inputs{query, {operands.keys.width, keyRow}, {operands.values.width, valueRow}};
  if (op.getWindow() || op.getChunk())
    inputs.firstVisible = firstSeen;
  spans.attend(piece, takesAll, inputs);
}

/// The number of the last entry that a token attends to, of all or in its list; -1 if there is none. For all threads of a block.
Number AttentionByMatrix::lastEntryOf(Number token) {
  if (lists)
    return lists->lengthOf(token) - 1;
  return ((operands.batch.positions + token).loadIndex() + 1) / operands.entries->block - 1;
}

void AttentionByMatrix::attendToEntries(Number piece) {
  auto query = [&](Number token, Number head, Number column) { return queryPair(token, head, column); };
  auto row = [&](const SpanAttention::Reader &reader, Number index) {
    Number entry = lists ? lists->at(reader.token, index) : index;
    return frame.cacheRow(*operands.entries, operands.batch, reader.sequence, entry * operands.entries->block) +
           reader.keyHead * operands.headDim;
  };
  auto last = [&](Number token) { return lastEntryOf(token); };
  SpanAttention::Source entries{operands.entries->width, row};
  entrySpans->attend(piece, takesAll, {.query = query, .keys = entries, .values = entries, .lastGathered = last});
}

/// The heads of one token that share keys.
void AttentionByMatrix::addSpans(Number piece) {
  Number token = piece / operands.keyHeads, firstHead = piece % operands.keyHeads * operands.group;
  Number position = (operands.batch.positions + token).loadIndex();
  SmallVector<SpanSums::Range> ranges{sums.rangeOf(0, firstVisible(op, position), position)};
  if (entrySpans)
    ranges.push_back(sums.rangeOf(1, b.integer(0), lastEntryOf(token)));
  Pointer factors = frame.allocateShared(b.f32, operands.group * sums.count());
  auto factorsOf = [&](Number inGroup) { return factors + inGroup * sums.count(); };
  b.forThreads(b.integer(operands.group), spans.threads(), [&](Number inGroup) {
    Number head = firstHead + inGroup;
    std::optional<Number> sink;
    if (operands.sinks)
      sink = operands.sinks.row(head).loadF32() * b.real(std::numbers::log2e);
    sums.storeFactors(token, ranges, head, factorsOf(inGroup), sink);
  });
  b.barrier();
  int64_t pairs = operands.valueDim / 2;
  b.forThreads(b.integer(operands.group * pairs), spans.threads(), [&](Number i) {
    Number inGroup = i / pairs, head = firstHead + inGroup, column = i % pairs * 2;
    Number two = sums.contextOf(token, ranges, head, column, factorsOf(inGroup));
    (operands.result + token * operands.resultWidth + head * operands.valueDim + column).store(two, 8);
  });
}

void AttentionByMatrix::emit() {
  int64_t ofToken = spans.piecesOfToken(), entriesOfToken = entrySpans ? entrySpans->piecesOfToken() : 0;
  frame.launch(spans.threads(), {frame.perRow(1, ofToken + entriesOfToken + operands.keyHeads)});
  Number piece = order.piece(), positionPieces = frame.tokens * ofToken,
         attentionPieces = frame.tokens * (ofToken + entriesOfToken);
  // A block that takes all spans does so for the first; the others' blocks have nothing to do.
  auto take = [&](const SpanAttention &of, Number own, function_ref<void()> body) {
    b.ifThen(select(takesAll, own % of.spansOfToken(), b.integer(0)) == 0, [&] {
      frame.alternative(body);
      order.finishBehindBarrier(attention);
    });
  };
  auto taken = [&](const SpanAttention &of, Number pieces) { return select(takesAll, pieces / of.spansOfToken(), pieces); };
  auto takePositions = [&] { take(spans, piece, [&] { attend(piece); }); };
  auto takeEntries = [&] {
    Number own = piece - positionPieces;
    take(*entrySpans, own, [&] { attendToEntries(own); });
  };
  b.ifThenElse(
      piece < attentionPieces,
      [&] { entrySpans ? b.ifThenElse(piece < positionPieces, takePositions, takeEntries) : takePositions(); },
      [&] {
        Number pieces = taken(spans, positionPieces);
        if (entrySpans)
          pieces = pieces + taken(*entrySpans, attentionPieces - positionPieces);
        order.waitFor(attention, pieces);
        frame.alternative([&] { addSpans(piece - attentionPieces); });
        order.finishLast(frame.tokens * operands.keyHeads);
      });
}
