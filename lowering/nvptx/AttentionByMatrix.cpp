// The two stages of attention with grouped heads.
#include "lowering/nvptx/AttentionByMatrix.h"

#include "lowering/kernel/Functions.h"

#include <numbers>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// What spans leave for each other is a small part of what they read, as keys and values are read for a few heads only.
static constexpr Spans spansOfToken{.shortest = 256, .most = 16};

static SpanAttention::Heads headsOf(const AttentionOperands &operands) { return {operands.keyHeads, operands.group}; }

static MatrixAttention::Shape shapeOf(const AttentionOperands &operands, moe::AttentionOp op) {
  MatrixAttention::Shape shape{.keyWidth = operands.headDim,
                               .valueWidth = operands.valueDim,
                               .valuesAreKeys = false,
                               .scale = op.getScale().convertToDouble()};
  if (op.getSoftCap())
    shape.softCap = op.getSoftCap()->convertToDouble();
  return shape;
}

bool AttentionByMatrix::covers(const Target &target, const AttentionOperands &operands, moe::AttentionOp op) {
  return target.hasMatrixUnits && !operands.entries && op.getCompute() == moe::Compute::BF16 &&
         operands.keys.base.element.isBF16() && operands.values.base.element.isBF16() &&
         operands.group * spansOfToken.most * 4 <= target.sharedBytes && // the factors that spans are added with
         MatrixAttention::fits(target, shapeOf(operands, op), SpanAttention::tileOf(headsOf(operands)).rowTiles);
}

AttentionByMatrix::AttentionByMatrix(KernelFrame &frame, const AttentionOperands &operands, moe::AttentionOp op)
    : frame(frame), b(frame.b), operands(operands), op(op), order(frame, stageCount),
      sums(frame, spansOfToken, operands.keyHeads * operands.group, operands.valueDim),
      spans(frame, operands.batch, headsOf(operands), shapeOf(operands, op), sums) {}

void AttentionByMatrix::attend(Number piece) {
  auto query = [&](Number token, Number head, Number column) {
    return packBf16((operands.query + token * operands.queryWidth + head * operands.headDim + column).load(2, 8));
  };
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
  spans.attend(piece, inputs);
}

/// The heads of one token that share keys.
void AttentionByMatrix::addSpans(Number piece) {
  Number token = piece / operands.keyHeads, firstHead = piece % operands.keyHeads * operands.group;
  Number position = (operands.batch.positions + token).load().toInteger(b.i64), length = sums.lengthAt(position),
         first = firstVisible(op, position) / length, last = position / length;
  Pointer factors = frame.allocateShared(b.f32, operands.group * spansOfToken.most);
  auto factorsOf = [&](Number inGroup) { return factors + inGroup * spansOfToken.most; };
  b.forThreads(b.integer(operands.group), spans.threads(), [&](Number inGroup) {
    Number head = firstHead + inGroup;
    std::optional<Number> sink;
    if (operands.sinks)
      sink = operands.sinks.row(head).loadF32() * b.real(std::numbers::log2e);
    sums.storeFactors(token, first, last, head, factorsOf(inGroup), sink);
  });
  b.barrier();
  int64_t pairs = operands.valueDim / 2;
  b.forThreads(b.integer(operands.group * pairs), spans.threads(), [&](Number i) {
    Number inGroup = i / pairs, head = firstHead + inGroup, column = i % pairs * 2;
    Number two = sums.contextOf(token, first, last, head, column, factorsOf(inGroup));
    (operands.result + token * operands.resultWidth + head * operands.valueDim + column).store(two, 8);
  });
}

void AttentionByMatrix::emit() {
  frame.launch(spans.threads(), {frame.perRow(1, spans.piecesOfToken() + operands.keyHeads)});
  Number piece = order.piece(), attentionPieces = frame.tokens * spans.piecesOfToken();
  b.ifThenElse(
      piece < attentionPieces,
      [&] {
        frame.alternative([&] { attend(piece); });
        order.finish(attention);
      },
      [&] {
        order.waitFor(attention, attentionPieces);
        frame.alternative([&] { addSpans(piece - attentionPieces); });
        order.finishLast(frame.tokens * operands.keyHeads);
      });
}
