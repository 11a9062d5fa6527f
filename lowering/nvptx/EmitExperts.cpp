// The stages of a mixture of experts: dispatch, the hidden rows of every chosen expert, their combination.
//
// A block takes its columns of every chosen expert, so that blocks have equal work whatever the routing, and a result is summed by
// one thread, over a token's experts in ascending order.
#include "lowering/kernel/Functions.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/WarpProduct.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t dispatchThreads = 256;

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::DispatchOp op) {
  KernelBuilder &b = frame.b;
  frame.launch(dispatchThreads, {KernelFrame::constant(1)});
  int64_t k = moe::widthOf(op.getIds().getType()), experts = op.getExperts();
  Pointer ids = frame.buffer(op.getIds()), offsets = frame.result(0), order = frame.result(1);
  Pointer starts = frame.allocateShared(b.i32, experts);
  Number assignments = frame.rows * k;
  // Thread t has experts t, t + 256, ...: it counts their assignments, then writes their numbers.
  auto forOwnExperts = [&](function_ref<void(Number)> body) { b.forThreads(b.integer(experts), dispatchThreads, body); };
  auto isOf = [&](Number assignment, Number e) { return (ids + assignment).load() == e.toInteger(b.i32); };

  forOwnExperts([&](Number e) {
    Number count = b.forRange(b.integer(0), assignments, 1, {b.integer32(0)}, [&](Number assignment, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{before[0] + isOf(assignment, e).toUnsigned(b.i32)};
    })[0];
    (starts + e).store(count);
  });
  b.barrier();
  b.ifThen(b.thread() == 0, [&] { // counts become the places where each expert's assignments begin
    Number total = b.forRange(b.integer(0), b.integer(experts), 1, {b.integer32(0)}, [&](Number e, ArrayRef<Number> before) {
      Number count = (starts + e).load();
      (starts + e).store(before[0]);
      (offsets + e).store(before[0]);
      return KernelBuilder::Numbers{before[0] + count};
    })[0];
    (offsets + experts).store(total);
  });
  b.barrier();
  forOwnExperts([&](Number e) {
    b.forRange(b.integer(0), assignments, 1, {(starts + e).load()}, [&](Number assignment, ArrayRef<Number> before) {
      Number mine = isOf(assignment, e);
      b.ifThen(mine, [&] { (order + before[0]).store(assignment.toInteger(b.i32)); });
      return KernelBuilder::Numbers{before[0] + mine.toUnsigned(b.i32)};
    });
  });
}

/// Calls `body(expert, assignment)` for every assignment, in order of experts.
static void forAssignments(KernelBuilder &b, Pointer offsets, Pointer order, int64_t experts,
                           function_ref<void(Number, Number)> body) {
  b.forRange(experts, [&](Number e) {
    Number first = (offsets + e).load().toInteger(b.i64), end = (offsets + e + 1).load().toInteger(b.i64);
    b.forRange(first, end, 1, [&](Number i) { body(e, (order + i).load().toInteger(b.i64)); });
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::ExpertHiddenOp op) {
  KernelBuilder &b = frame.b;
  Weight gate = frame.weight(op.getGate()), up = frame.weight(op.getUp()), gateBias = frame.weight(op.getGateBias()),
         upBias = frame.weight(op.getUpBias()), sharedGate = frame.weight(op.getSharedGate()),
         sharedUp = frame.weight(op.getSharedUp());
  auto gateType = cast<RankedTensorType>(op.getGate().getType());
  int64_t experts = gateType.getDimSize(0), intermediate = gateType.getDimSize(1), in = gateType.getDimSize(2);
  int64_t sharedColumns = sharedGate ? sharedGate.leadingRows() : 0;
  int64_t k = moe::widthOf(op.getOrder().getType()), hiddenWidth = moe::widthOf(op.getType());
  Pointer input = frame.buffer(op.getInput()), offsets = frame.buffer(op.getOffsets()), order = frame.buffer(op.getOrder()),
          result = frame.result(0);
  frame.launch(productThreads, {KernelFrame::constant(blocksOfColumns(intermediate) + blocksOfColumns(sharedColumns))});

  WarpProduct product(b, op.getCompute(), in);
  auto store = [&](Pointer destination, Number g, Number u) {
    b.ifThen(b.lane() == 0, [&] { destination.store(activate(op.getActivation(), g, u)); });
  };
  Number column = b.block(0) * productWarps + b.warp();
  b.ifThen(column < intermediate, [&] {
    forAssignments(b, offsets, order, experts, [&](Number expert, Number assignment) {
      Pointer x = input + assignment / k * in;
      Number g = product.dot(gate.row(expert) + column * in, x), u = product.dot(up.row(expert) + column * in, x);
      if (gateBias) {
        g = g + (gateBias.row(expert) + column).loadF32();
        u = u + (upBias.row(expert) + column).loadF32();
      }
      store(result + assignment / k * hiddenWidth + assignment % k * intermediate + column, g, u);
    });
  });
  if (!sharedGate)
    return;
  Number sharedColumn = (b.block(0) - blocksOfColumns(intermediate)) * productWarps + b.warp();
  b.ifThen((sharedColumn >= sharedColumn.like(int64_t(0))) & (sharedColumn < sharedColumns), [&] {
    b.forRange(frame.rows, [&](Number row) {
      Pointer x = input + row * in;
      store(result + row * hiddenWidth + k * intermediate + sharedColumn, product.dot(sharedGate.row(sharedColumn), x),
            product.dot(sharedUp.row(sharedColumn), x));
    });
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::CombineOp op) {
  KernelBuilder &b = frame.b;
  Weight down = frame.weight(op.getDown()), downBias = frame.weight(op.getDownBias()),
         sharedDown = frame.weight(op.getSharedDown());
  auto downType = cast<RankedTensorType>(op.getDown().getType());
  int64_t experts = downType.getDimSize(0), out = downType.getDimSize(1), intermediate = downType.getDimSize(2);
  int64_t k = moe::widthOf(op.getOrder().getType()), hiddenWidth = moe::widthOf(op.getHidden().getType());
  Pointer hidden = frame.buffer(op.getHidden()), weights = frame.buffer(op.getWeights()), offsets = frame.buffer(op.getOffsets()),
          order = frame.buffer(op.getOrder()), result = frame.result(0);
  Pointer residual = op.getResidual() ? frame.buffer(op.getResidual()) : Pointer();
  frame.launch(productThreads, {KernelFrame::constant(blocksOfColumns(out))});

  Number column = b.block(0) * productWarps + b.warp(), isFirst = b.lane() == 0;
  WarpProduct product(b, op.getCompute(), intermediate, {hiddenWidth});
  b.ifThen(column < out, [&] {
    auto at = [&](Number row) { return result + row * out + column; };
    b.ifThen(isFirst, [&] { b.forRange(frame.rows, [&](Number row) { at(row).store(b.real(0)); }); });
    forAssignments(b, offsets, order, experts, [&](Number expert, Number assignment) {
      Number token = assignment / k;
      Number sum =
          product.dot(down.row(expert) + column * intermediate, hidden + token * hiddenWidth + assignment % k * intermediate);
      if (downBias)
        sum = sum + (downBias.row(expert) + column).loadF32();
      b.ifThen(isFirst, [&] { at(token).store(fma((weights + assignment).load(), sum, at(token).load())); });
    });
    if (!sharedDown && !residual.builder)
      return;
    int64_t sharedWidth = sharedDown ? sharedDown.width() : 1;
    WarpProduct shared(b, op.getCompute(), sharedWidth, {hiddenWidth, k * intermediate});
    b.forRange(frame.rows, [&](Number row) {
      Number addend = b.real(0);
      if (sharedDown)
        addend = shared.dot(sharedDown.row(column), hidden + row * hiddenWidth + k * intermediate);
      b.ifThen(isFirst, [&] {
        Number sum = at(row).load() + addend;
        at(row).store(residual.builder ? sum + (residual + row * out + column).load() : sum);
      });
    });
  });
}
