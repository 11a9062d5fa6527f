// Attention with grouped key/value heads: an item is one key/value head of one sequence, with all query heads that share it.
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

void moec::lowering::x86::emit(KernelFrame &frame, moe::AttentionOp op) {
  KernelBuilder &b = frame.b;
  const AttentionOperands given(frame, op);

  const Storage keyStorage{given.keys.base.element};
  DotForm form(b, keyStorage, op.getCompute());
  Pointer activations = frame.allocate(form.activation(), form.activationElements(blockRows, given.headDim));
  WeightRows keyRows = WeightRows::allocate(frame, keyStorage, pageSize);
  std::optional<double> softCap;
  if (op.getSoftCap())
    softCap = op.getSoftCap()->convertToDouble();
  OnlineSoftmax softmax(frame, blockRows, given.valueDim, op.getScale().convertToDouble(), softCap);

  b.forRange(frame.begin, frame.end, 1, [&](Number item) {
    Number sequence = item / given.keyHeads, keyHead = item % given.keyHeads;
    Number firstToken = (given.batch.starts + sequence).load().toInteger(b.i64);
    Number rows = ((given.batch.starts + sequence + 1).load().toInteger(b.i64) - firstToken) * given.group;
    Number firstPosition = b.number((given.batch.positions + firstToken).load().toInteger(b.i64));
    b.forRange(b.integer(0), rows, blockRows, [&](Number firstRow) {
      Number count = minimum(rows - firstRow, b.integer(blockRows));
      auto tokenOf = [&](Number row) { return (firstRow + row) / given.group; };
      auto headOf = [&](Number row) { return keyHead * given.group + (firstRow + row) % given.group; };
      b.forRange(count, [&](Number row) {
        Number position = firstPosition + tokenOf(row);
        std::optional<Number> sink;
        if (given.sinks)
          sink = given.sinks.row(headOf(row)).loadF32();
        softmax.startRow(row, firstVisible(op, position), position, sink);
        form.convertRow(given.query + (firstToken + tokenOf(row)) * given.queryWidth + headOf(row) * given.headDim,
                        activations.plusBytes(row * form.rowBytes(given.headDim)), given.headDim);
      });
      Number blockPosition = firstPosition + tokenOf(b.integer(0)), lastPosition = firstPosition + tokenOf(count - 1);
      Number firstPage = firstVisible(op, blockPosition) / pageSize, endPage = lastPosition / pageSize + 1;
      b.forRange(firstPage, endPage, 1, [&](Number page) {
        Number pageStart = page * pageSize;
        Pointer key = frame.cacheRow(given.keys, given.batch, sequence, pageStart) + keyHead * given.headDim;
        Pointer value = frame.cacheRow(given.values, given.batch, sequence, pageStart) + keyHead * given.valueDim;
        b.forRange(pageSize, [&](Number i) { keyRows.set(i, {key + i * given.keys.width}); });
        // Rows of tokens before the page have no business with it.
        Number from = maximum((pageStart - firstPosition) * given.group - firstRow, b.integer(0));
        form.multiply(activations.plusBytes(from * form.rowBytes(given.headDim)), count - from, keyRows, b.integer(pageSize),
                      given.headDim, softmax.scores().row(from), pageSize);
        Number visible = minimum(lastPosition + 1 - pageStart, b.integer(pageSize));
        softmax.takePage(from, count, pageStart, visible, {value, given.values.width});
      });
      b.forRange(count, [&](Number row) {
        Pointer destination = given.result + (firstToken + tokenOf(row)) * given.resultWidth + headOf(row) * given.valueDim;
        b.forColumns(given.valueDim,
                     [&](Number column, int64_t lanes) { (destination + column).store(softmax.context(row, column, lanes)); });
      });
    });
  });
}
