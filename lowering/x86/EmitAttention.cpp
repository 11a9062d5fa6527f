// Attention with grouped key/value heads: an item is some query heads of one sequence that share a key/value head.
#include "lowering/kernel/Functions.h"
#include "lowering/kernel/Operands.h"
#include "lowering/x86/DotTile.h"
#include "lowering/x86/Emit.h"
#include "lowering/x86/OnlineSoftmax.h"

#include "lowering/plan/Schedule.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

/// Query rows (a head of a token each) that pass over the pages together.
static constexpr int64_t blockRows = 128;

namespace {

/// What is multiplied with the query rows of a block, which lie in `activations`, and goes into their softmax.
class Attending {
public:
  Attending(KernelFrame &frame, moe::AttentionOp op, const AttentionOperands &given)
      : frame(frame), b(frame.b), given(given), form(b, {given.keys.base.element}, op.getCompute()),
        activations(frame.allocate(form.activation(), form.activationElements(blockRows, given.headDim))),
        keyRows(WeightRows::allocate(frame, {given.keys.base.element}, pageSize)),
        softmax(frame, blockRows, given.valueDim, op.getScale().convertToDouble(), softCapOf(op)) {
    if (given.entries)
      gathered = {frame.allocate(given.entries->base.element, pageSize * given.headDim), given.headDim};
  }

  void startRow(Number row, Pointer query, Number first, Number last, std::optional<Number> sink) {
    softmax.startRow(row, first, last, sink);
    form.convertRow(query, activations.plusBytes(row * form.rowBytes(given.headDim)), given.headDim);
  }

  /// Rows [from, end) take the page that begins at `pageStart`, of which `keys` are there.
  void takePage(Number sequence, Number keyHead, Number from, Number end, Number pageStart, Number keys) {
    Pointer key = frame.cacheRow(given.keys, given.batch, sequence, pageStart) + keyHead * given.headDim;
    Pointer value = frame.cacheRow(given.values, given.batch, sequence, pageStart) + keyHead * given.valueDim;
    take(from, end, {key, given.keys.width}, {value, given.values.width}, pageStart, keys);
  }

  /// Rows [from, end), all of `token`, take the entries that the token sees, gathered from their pages.
  void takeEntries(Number sequence, Number keyHead, Number from, Number end, Number token) {
    Number position = (given.batch.positions + token).loadIndex();
    Number visible = given.listed ? lengthOf(token) : (position + 1) / given.entries->block;
    b.forRange(from, end, 1, [&](Number row) { softmax.look(row, b.integer(0), visible - 1); });
    b.forRange(b.integer(0), visible, pageSize, [&](Number start) {
      Number count = minimum(visible - start, b.integer(pageSize));
      b.forRange(count, [&](Number i) {
        Number entry = given.listed ? listedAt(token, start + i) : start + i;
        Pointer source =
            frame.cacheRow(*given.entries, given.batch, sequence, entry * given.entries->block) + keyHead * given.headDim;
        b.forColumns(given.headDim,
                     [&](Number column, int64_t lanes) { (gathered.row(i) + column).store((source + column).load(lanes)); });
      });
      take(from, end, gathered, gathered, start, count);
    });
  }

  Number context(Number row, Number column, int64_t lanes) const { return softmax.context(row, column, lanes); }

private:
  static std::optional<double> softCapOf(moe::AttentionOp op) {
    return op.getSoftCap() ? std::optional(op.getSoftCap()->convertToDouble()) : std::nullopt;
  }

  void take(Number from, Number end, Matrix keys, Matrix values, Number start, Number count) {
    b.forRange(pageSize, [&](Number i) { keyRows.set(i, {keys.row(i)}); });
    form.multiply(activations.plusBytes(from * form.rowBytes(given.headDim)), end - from, keyRows, b.integer(pageSize),
                  given.headDim, softmax.scores().row(from), pageSize);
    softmax.takePage(from, end, start, count, values);
  }

  Number listedAt(Number token, Number index) const { return (given.lists + (token * given.listed + index)).loadIndex(); }
  /// How many entries of a token's list are any.
  Number lengthOf(Number token) const {
    return b.forRange(b.integer(0), b.integer(given.listed), 1, {b.integer(0)}, [&](Number i, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{before[0] + (listedAt(token, i) >= 0).toUnsigned(b.i64)};
    })[0];
  }

  KernelFrame &frame;
  KernelBuilder &b;
  const AttentionOperands &given;
  DotForm form;
  Pointer activations;
  WeightRows keyRows;
  OnlineSoftmax softmax;
  Matrix gathered; ///< entries
};

} // namespace

void moec::lowering::x86::emit(KernelFrame &frame, moe::AttentionOp op) {
  KernelBuilder &b = frame.b;
  const AttentionOperands given(frame, op);
  Attending attending(frame, op, given);
  int64_t headBlocks = blocksOfHeads(given.group);

  b.forRange(frame.begin, frame.end, 1, [&](Number item) {
    Number sequence = item / (given.keyHeads * headBlocks), keyHead = item / headBlocks % given.keyHeads;
    Number firstHead = item % headBlocks * headsPerItem,
           heads = minimum(b.integer(given.group) - firstHead, b.integer(headsPerItem));
    Number firstToken = (given.batch.starts + sequence).loadIndex();
    Number rows = ((given.batch.starts + sequence + 1).loadIndex() - firstToken) * heads;
    Number firstPosition = b.number((given.batch.positions + firstToken).loadIndex());
    b.forRange(b.integer(0), rows, blockRows, [&](Number firstRow) {
      Number count = minimum(rows - firstRow, b.integer(blockRows));
      auto tokenOf = [&](Number row) { return (firstRow + row) / heads; };
      auto headOf = [&](Number row) { return keyHead * given.group + firstHead + (firstRow + row) % heads; };
      b.forRange(count, [&](Number row) {
        Number position = firstPosition + tokenOf(row);
        std::optional<Number> sink;
        if (given.sinks)
          sink = given.sinks.row(headOf(row)).loadF32();
        Pointer query = given.query + (firstToken + tokenOf(row)) * given.queryWidth + headOf(row) * given.headDim;
        attending.startRow(row, query, firstVisible(op, position), position, sink);
      });
      Number firstOfBlock = tokenOf(b.integer(0)), lastOfBlock = tokenOf(count - 1), lastPosition = firstPosition + lastOfBlock;
      Number firstPage = firstVisible(op, firstPosition + firstOfBlock) / pageSize, endPage = lastPosition / pageSize + 1;
      // The first row of a token, counted within the block; rows of tokens before a page have no business with it.
      auto rowOf = [&](Number token) { return minimum(maximum(token * heads - firstRow, b.integer(0)), count); };
      b.forRange(firstPage, endPage, 1, [&](Number page) {
        Number pageStart = page * pageSize;
        attending.takePage(sequence, keyHead, rowOf(pageStart - firstPosition), count, pageStart,
                           minimum(lastPosition + 1 - pageStart, b.integer(pageSize)));
      });
      if (given.entries)
        b.forRange(firstOfBlock, lastOfBlock + 1, 1, [&](Number token) {
          attending.takeEntries(sequence, keyHead, rowOf(token), rowOf(token + 1), firstToken + token);
        });
      b.forRange(count, [&](Number row) {
        Pointer destination = given.result + (firstToken + tokenOf(row)) * given.resultWidth + headOf(row) * given.valueDim;
        b.forColumns(given.valueDim,
                     [&](Number column, int64_t lanes) { (destination + column).store(attending.context(row, column, lanes)); });
      });
    });
  });
}
