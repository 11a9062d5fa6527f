// Attention with grouped key/value heads: an item is one key/value head of one sequence, with all query heads that share it.
#include "lowering/kernel/Functions.h"
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
  Batch batch = frame.batch(op.getBatch());
  Cache keys = frame.cache(op.getKeysAttr()), values = frame.cache(op.getValuesAttr());
  Weight sinks = frame.weight(op.getSinks());
  int64_t headDim = op.getHeadDim(), queryWidth = moe::widthOf(op.getQuery().getType()), resultWidth = moe::widthOf(op.getType());
  int64_t keyHeads = keys.width / headDim, valueDim = values.width / keyHeads, group = queryWidth / headDim / keyHeads;
  Pointer query = frame.buffer(op.getQuery()), result = frame.result(0);

  DotForm form(b, keys.base.element, op.getCompute());
  Pointer activations = frame.allocate(form.activation(), form.activationElements(blockRows, headDim));
  Pointer keyRows = frame.allocate(b.ptr, pageSize);
  std::optional<double> softCap;
  if (op.getSoftCap())
    softCap = op.getSoftCap()->convertToDouble();
  OnlineSoftmax softmax(frame, blockRows, valueDim, op.getScale().convertToDouble(), softCap);

  b.forRange(frame.begin, frame.end, 1, [&](Number item) {
    Number sequence = item / keyHeads, keyHead = item % keyHeads;
    Number firstToken = (batch.starts + sequence).load().toInteger(b.i64);
    Number rows = ((batch.starts + sequence + 1).load().toInteger(b.i64) - firstToken) * group;
    Number firstPosition = b.number((batch.positions + firstToken).load().toInteger(b.i64));
    b.forRange(b.integer(0), rows, blockRows, [&](Number firstRow) {
      Number count = minimum(rows - firstRow, b.integer(blockRows));
      auto tokenOf = [&](Number row) { return (firstRow + row) / group; };
      auto headOf = [&](Number row) { return keyHead * group + (firstRow + row) % group; };
      b.forRange(count, [&](Number row) {
        Number position = firstPosition + tokenOf(row);
        std::optional<Number> sink;
        if (sinks)
          sink = sinks.row(headOf(row)).loadF32();
        softmax.startRow(row, firstVisible(op, position), position, sink);
        form.convertRow(query + (firstToken + tokenOf(row)) * queryWidth + headOf(row) * headDim,
                        activations.plusBytes(row * form.rowBytes(headDim)), headDim);
      });
      Number blockPosition = firstPosition + tokenOf(b.integer(0)), lastPosition = firstPosition + tokenOf(count - 1);
      Number firstPage = firstVisible(op, blockPosition) / pageSize, endPage = lastPosition / pageSize + 1;
      b.forRange(firstPage, endPage, 1, [&](Number page) {
        Number pageStart = page * pageSize;
        Pointer key = frame.cacheRow(keys, batch, sequence, pageStart) + keyHead * headDim;
        Pointer value = frame.cacheRow(values, batch, sequence, pageStart) + keyHead * valueDim;
        b.forRange(pageSize, [&](Number i) { (keyRows + i).store(b.number((key + i * keys.width).value)); });
        // Rows of tokens before the page have no business with it.
        Number from = maximum((pageStart - firstPosition) * group - firstRow, b.integer(0));
        form.multiply(activations.plusBytes(from * form.rowBytes(headDim)), count - from, keyRows, b.integer(pageSize), headDim,
                      softmax.scores().row(from), pageSize);
        Number visible = minimum(lastPosition + 1 - pageStart, b.integer(pageSize));
        softmax.takePage(from, count, pageStart, visible, {value, values.width});
      });
      b.forRange(count, [&](Number row) {
        Pointer destination = result + (firstToken + tokenOf(row)) * resultWidth + headOf(row) * valueDim;
        b.forColumns(valueDim,
                     [&](Number column, int64_t lanes) { (destination + column).store(softmax.context(row, column, lanes)); });
      });
    });
  });
}
