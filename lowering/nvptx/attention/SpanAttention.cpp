// Which tokens, heads and positions a piece is of.
#include "lowering/nvptx/attention/SpanAttention.h"

#include "lowering/plan/Schedule.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static QueryTile tileOf(SpanAttention::Heads heads, bool isGathered) {
  QueryTile tile = SpanAttention::tileOf(heads);
  if (isGathered)
    tile.tokens = 1;
  return tile;
}

SpanAttention::SpanAttention(KernelFrame &frame, const Batch &batch, Heads heads, const MatrixAttention::Shape &shape,
                             SpanSums &sums, int64_t kind)
    : frame(frame), b(frame.b), batch(batch), heads(heads), shape(shape), tile(::tileOf(heads, shape.isGathered)), sums(sums),
      kind(kind) {}

/// A tile of tokens begins at a multiple of its size, or where the sequence does in this step; its first token's block takes it.
/// All its tokens have the same spans, as lengths of spans are multiples of its size.
SpanAttention::Rows SpanAttention::rowsAt(Number piece, const Inputs &inputs) {
  int64_t spans = spansOfToken();
  Rows rows;
  rows.keyHead = piece / (spans * tile.groups) % heads.ofKeys;
  rows.group = piece / spans % tile.groups;
  rows.token = piece / piecesOfToken();
  rows.sequence = (batch.tokenSequence + rows.token).loadIndex();
  rows.position = inputs.lastGathered ? inputs.lastGathered(rows.token) : (batch.positions + rows.token).loadIndex();
  rows.tokens = b.integer(1);
  rows.lengthBits = sums.lengthBits(kind, rows.position);
  rows.spans = sums.countUpTo(rows.position, rows.lengthBits);
  if (tile.tokens > 1) {
    Number inTile = rows.position % tile.tokens,
           isFirst = (inTile == 0) | ((batch.starts + rows.sequence).loadIndex() == rows.token);
    rows.tokens = minimum(b.integer(tile.tokens) - inTile, (batch.starts + rows.sequence + 1).loadIndex() - rows.token);
    rows.spans = select(isFirst, rows.spans, b.integer(0));
  }
  return rows;
}

void SpanAttention::attend(Number piece, Number takesAll, const Inputs &inputs) {
  Rows rows = rowsAt(piece, inputs);
  Number first = piece % spansOfToken();
  b.forRange(select(takesAll, rows.spans, b.integer(1)), [&](Number i) {
    attendToSpan(rows, first + i, inputs);
    b.barrier(); // shared memory is the next span's, and what was stored may be told of
  });
}

void SpanAttention::attendToSpan(const Rows &rows, Number span, const Inputs &inputs) {
  const auto &[keyHead, group, token, sequence, position, tokens, lengthBits, spans] = rows;
  Number isTaken = span < spans, begin = span << lengthBits, first = begin,
         end = minimum((span + 1) << lengthBits, position + tokens);
  if (inputs.firstVisible) {
    Number visible = inputs.firstVisible(position);
    isTaken = isTaken & (visible < end);
    first = maximum(begin, visible / pageSize * pageSize);
  }

  MatrixAttention attention(frame, shape, tile.rowTiles);
  b.ifThen(isTaken, [&] {
    auto headOf = [&](Number row) { return group * tile.heads + tile.headOf(row); };
    auto isRow = [&](Number row) { return (tile.tokenOf(row) < tokens) & (headOf(row) < heads.ofGroup); };
    auto place = [&](Number row) { return std::pair(token + tile.tokenOf(row), keyHead * heads.ofGroup + headOf(row)); };
    auto query = [&](Number row, Number column) {
      auto read = [&] {
        auto [ofToken, head] = place(row);
        return inputs.query(ofToken, head, column);
      };
      return b.computeIf(isRow(row), read, b.integer32(0));
    };
    auto visible = [&](Number row) {
      Number last = position + tile.tokenOf(row);
      MatrixAttention::Visible seen{{}, last};
      if (inputs.firstVisible)
        seen.first = inputs.firstVisible(last);
      return seen;
    };
    Reader reader{keyHead, token, sequence};
    auto keyRow = [&](Number at) { return inputs.keys.row(reader, at); };
    auto valueRow = [&](Number at) { return inputs.values.row(reader, at); };
    auto storeContext = [&](Number row, Number column, Number two, Number) {
      b.ifThen(isRow(row), [&] {
        auto [ofToken, head] = place(row);
        sums.storeContext(ofToken, span + sums.countBefore(kind), head, column, two);
      });
    };
    auto storeWeights = [&](Number row, Number largest, Number sum) {
      b.ifThen(isRow(row), [&] {
        auto [ofToken, head] = place(row);
        sums.storeWeights(ofToken, span + sums.countBefore(kind), head, largest, sum);
      });
    };
    attention.attend(first, end, {query, visible}, {inputs.keys.stride, keyRow}, {inputs.values.stride, valueRow},
                     {storeContext, storeWeights});
  });
}
