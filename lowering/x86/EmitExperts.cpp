// The stages of a mixture of experts: dispatch, the hidden rows of every chosen expert, their combination.
//
// An item is 16 columns of every expert, so that an even split of items is an even split of work whatever the routing.
#include "lowering/kernel/Functions.h"
#include "lowering/x86/BlockedProduct.h"
#include "lowering/x86/Emit.h"

#include "lowering/plan/Schedule.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

void moec::lowering::x86::emit(KernelFrame &frame, moe::DispatchOp op) {
  KernelBuilder &b = frame.b;
  int64_t k = moe::widthOf(op.getIds().getType()), experts = op.getExperts();
  Pointer ids = frame.buffer(op.getIds()), offsets = frame.result(0), order = frame.result(1);
  Pointer cursors = frame.allocate(b.i64, experts);
  Number assignments = frame.rows * k;
  auto expertOf = [&](Number assignment) { return (ids + assignment).load().toInteger(b.i64); };

  b.forRange(frame.begin, frame.end, 1, [&](Number) {
    b.forRange(experts, [&](Number e) { (cursors + e).store(b.integer(0)); });
    b.forRange(assignments, [&](Number assignment) {
      Pointer cursor = cursors + expertOf(assignment);
      cursor.store(cursor.load() + 1);
    });
    // Counts become the places where each expert's assignments begin.
    Number total = b.forRange(b.integer(0), b.integer(experts), 1, {b.integer(0)}, [&](Number e, ArrayRef<Number> before) {
      Number count = (cursors + e).load();
      (cursors + e).store(before[0]);
      (offsets + e).store(before[0].toInteger(b.i32));
      return KernelBuilder::Numbers{before[0] + count};
    })[0];
    (offsets + experts).store(total.toInteger(b.i32));
    b.forRange(assignments, [&](Number assignment) {
      Pointer cursor = cursors + expertOf(assignment);
      Number place = cursor.load();
      (order + place).store(assignment.toInteger(b.i32));
      cursor.store(place + 1);
    });
  });
}

/// Calls `body(expert, first, count)` for the experts that have assignments: `order` entries [first, first + count).
static void forChosenExperts(KernelBuilder &b, Pointer offsets, int64_t experts, function_ref<void(Number, Number, Number)> body) {
  b.forRange(experts, [&](Number e) {
    Number first = (offsets + e).load().toInteger(b.i64), end = (offsets + e + 1).load().toInteger(b.i64);
    b.ifThen(first < end, [&] { body(e, first, end - first); });
  });
}

/// Of `sharedColumns` columns, the items that fall to the thread that has items [begin, end) of `items`.
static std::pair<Number, Number> sharedItems(KernelFrame &frame, int64_t sharedColumns, int64_t items) {
  int64_t sharedCount = itemsOfColumns(sharedColumns);
  return {frame.begin * sharedCount / items, frame.end * sharedCount / items};
}

void moec::lowering::x86::emit(KernelFrame &frame, moe::ExpertHiddenOp op) {
  KernelBuilder &b = frame.b;
  Weight gate = frame.weight(op.getGate()), up = frame.weight(op.getUp()), gateBias = frame.weight(op.getGateBias()),
         upBias = frame.weight(op.getUpBias()), sharedGate = frame.weight(op.getSharedGate()),
         sharedUp = frame.weight(op.getSharedUp());
  auto gateType = cast<RankedTensorType>(op.getGate().getType());
  int64_t experts = gateType.getDimSize(0), intermediate = gateType.getDimSize(1), in = gateType.getDimSize(2);
  int64_t k = moe::widthOf(op.getOrder().getType()), hiddenWidth = moe::widthOf(op.getType());
  Pointer input = frame.buffer(op.getInput()), offsets = frame.buffer(op.getOffsets()), order = frame.buffer(op.getOrder()),
          result = frame.result(0);

  BlockedProduct product(frame, gate.element(), op.getCompute(), in, 2);
  forChosenExperts(b, offsets, experts, [&](Number expert, Number begin, Number assignments) {
    auto assignmentAt = [&](Number i) { return (order + begin + i).load().toInteger(b.i64); };
    auto source = [&](Number i) { return input + assignmentAt(i) / k * in; };
    product.forBlocks(assignments, source, [&](Number first, Number count) {
      b.forRange(frame.begin, frame.end, 1, [&](Number item) {
        product.multiply(count, item, intermediate,
                         [&](int64_t group, Number column) { return (group ? up : gate).row(expert) + column * in; });
        b.forRange(count, [&](Number row) {
          Number assignment = assignmentAt(first + row), firstColumn = item * columnsPerItem;
          Pointer destination = result + assignment / k * hiddenWidth + assignment % k * intermediate + firstColumn;
          forItemColumns(b, item, intermediate, [&](Number column, int64_t lanes) {
            Number g = product.result(0, row, column, lanes), u = product.result(1, row, column, lanes);
            if (gateBias) {
              g = g + (gateBias.row(expert) + firstColumn + column).loadF32(lanes);
              u = u + (upBias.row(expert) + firstColumn + column).loadF32(lanes);
            }
            (destination + column).store(activate(op.getActivation(), g, u));
          });
        });
      });
    });
  });
  if (!sharedGate)
    return;

  int64_t sharedColumns = sharedGate.leadingRows();
  BlockedProduct shared(frame, sharedGate.element(), op.getCompute(), in, 2);
  auto [sharedBegin, sharedEnd] = sharedItems(frame, sharedColumns, itemsOfColumns(intermediate));
  auto source = [&](Number row) { return input + row * in; };
  shared.forBlocks(frame.rows, source, [&, begin = sharedBegin, end = sharedEnd](Number first, Number count) {
    b.forRange(begin, end, 1, [&](Number item) {
      shared.multiply(count, item, sharedColumns,
                      [&](int64_t group, Number column) { return (group ? sharedUp : sharedGate).row(column); });
      b.forRange(count, [&](Number row) {
        Pointer destination = result + (first + row) * hiddenWidth + item * columnsPerItem + k * intermediate;
        forItemColumns(b, item, sharedColumns, [&](Number column, int64_t lanes) {
          (destination + column)
              .store(activate(op.getActivation(), shared.result(0, row, column, lanes), shared.result(1, row, column, lanes)));
        });
      });
    });
  });
}

void moec::lowering::x86::emit(KernelFrame &frame, moe::CombineOp op) {
  KernelBuilder &b = frame.b;
  Weight down = frame.weight(op.getDown()), downBias = frame.weight(op.getDownBias()),
         sharedDown = frame.weight(op.getSharedDown());
  auto downType = cast<RankedTensorType>(op.getDown().getType());
  int64_t experts = downType.getDimSize(0), out = downType.getDimSize(1), intermediate = downType.getDimSize(2);
  int64_t k = moe::widthOf(op.getOrder().getType()), hiddenWidth = moe::widthOf(op.getHidden().getType());
  Pointer hidden = frame.buffer(op.getHidden()), weights = frame.buffer(op.getWeights()), offsets = frame.buffer(op.getOffsets()),
          order = frame.buffer(op.getOrder()), result = frame.result(0);
  Pointer residual = op.getResidual() ? frame.buffer(op.getResidual()) : Pointer();

  /// `body(start, column, lanes)` for the thread's columns of rows [first, first + count).
  auto forResults = [&](Number first, Number count, function_ref<void(Number, Number, int64_t)> body) {
    b.forRange(count, [&](Number row) {
      b.forRange(frame.begin, frame.end, 1, [&](Number item) {
        Number start = (first + row) * out + item * columnsPerItem;
        forItemColumns(b, item, out, [&](Number column, int64_t lanes) { body(start, column, lanes); });
      });
    });
  };
  forResults(b.integer(0), frame.rows,
             [&](Number start, Number column, int64_t lanes) { (result + start + column).store(b.zero(lanes)); });

  BlockedProduct product(frame, down.element(), op.getCompute(), intermediate, 1);
  forChosenExperts(b, offsets, experts, [&](Number expert, Number begin, Number assignments) {
    auto assignmentAt = [&](Number i) { return (order + begin + i).load().toInteger(b.i64); };
    auto source = [&](Number i) {
      Number assignment = assignmentAt(i);
      return hidden + assignment / k * hiddenWidth + assignment % k * intermediate;
    };
    product.forBlocks(assignments, source, [&](Number first, Number count) {
      b.forRange(frame.begin, frame.end, 1, [&](Number item) {
        product.multiply(count, item, out, [&](int64_t, Number column) { return down.row(expert) + column * intermediate; });
        b.forRange(count, [&](Number row) {
          Number assignment = assignmentAt(first + row), weight = (weights + assignment).load();
          Number firstColumn = item * columnsPerItem;
          Pointer destination = result + assignment / k * out + firstColumn;
          forItemColumns(b, item, out, [&](Number column, int64_t lanes) {
            Number sum = product.result(0, row, column, lanes);
            if (downBias)
              sum = sum + (downBias.row(expert) + firstColumn + column).loadF32(lanes);
            (destination + column).store(fma(weight.splat(lanes), sum, (destination + column).load(lanes)));
          });
        });
      });
    });
  });

  auto addResidual = [&](Pointer destination, Number start, Number column, int64_t lanes, Number sum) {
    if (residual.builder)
      sum = sum + (residual + start + column).load(lanes);
    (destination + start + column).store(sum);
  };
  if (sharedDown) {
    int64_t sharedColumns = sharedDown.width();
    BlockedProduct shared(frame, sharedDown.element(), op.getCompute(), sharedColumns, 1);
    auto source = [&](Number row) { return hidden + row * hiddenWidth + k * intermediate; };
    shared.forBlocks(frame.rows, source, [&](Number first, Number count) {
      b.forRange(frame.begin, frame.end, 1, [&](Number item) {
        shared.multiply(count, item, out, [&](int64_t, Number column) { return sharedDown.row(column); });
        b.forRange(count, [&](Number row) {
          Number start = (first + row) * out + item * columnsPerItem;
          forItemColumns(b, item, out, [&](Number column, int64_t lanes) {
            Number sum = (result + start + column).load(lanes) + shared.result(0, row, column, lanes);
            addResidual(result, start, column, lanes, sum);
          });
        });
      });
    });
  } else if (residual.builder) {
    forResults(b.integer(0), frame.rows, [&](Number start, Number column, int64_t lanes) {
      addResidual(result, start, column, lanes, (result + start + column).load(lanes));
    });
  }
}
