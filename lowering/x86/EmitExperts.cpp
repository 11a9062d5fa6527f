// The stages of a mixture of experts: dispatch, the hidden rows of every chosen expert, their combination.
//
// An item is 16 columns of every expert, so that an even split of items is an even split of work whatever the routing.
#include "lowering/kernel/Functions.h"
#include "lowering/kernel/Operands.h"
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
  auto expertOf = [&](Number assignment) { return (ids + assignment).loadIndex(); };

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

namespace {
/// An expert that has assignments: `order` entries [first, first + count).
struct ChosenExpert {
  Number index, first, count;
  Number next; ///< the one after it, or `experts` if it is the last
};
} // namespace

static void forChosenExperts(KernelBuilder &b, Pointer offsets, int64_t experts, function_ref<void(const ChosenExpert &)> body) {
  auto offset = [&](Number e) { return (offsets + e).loadIndex(); };
  b.forRange(experts, [&](Number e) {
    Number first = offset(e), end = offset(e + 1);
    b.ifThen(first < end, [&] {
      Number none = b.integer(experts); // from the last to the first, so that the nearest wins
      Number next = b.forRange(b.integer(0), none - e - 1, 1, {none}, [&](Number back, ArrayRef<Number> later) {
        Number candidate = none - 1 - back;
        return KernelBuilder::Numbers{select(offset(candidate) < offset(candidate + 1), candidate, later[0])};
      })[0];
      body({e, first, end - first, next});
    });
  });
}

/// The address of row `row` of matrix `next` of a stack of `experts`, or, if there is none, of row `sharedRow` of the shared
/// experts'; 0 if there are none of these either.
static Number rowAfter(KernelBuilder &b, const Weight &weight, Number next, int64_t experts, Number row, const Weight &shared,
                       Number sharedRow) {
  Number then = shared ? shared.matrixRow(sharedRow).elements.address() : b.integer(0);
  return select(next < experts, weight.matrixRow(minimum(next, b.integer(experts - 1)), row).elements.address(), then);
}

/// Of `sharedColumns` columns, the items that fall to the thread that has items [begin, end) of `items`.
static std::pair<Number, Number> sharedItems(KernelFrame &frame, int64_t sharedColumns, int64_t items) {
  int64_t sharedCount = itemsOfColumns(sharedColumns);
  return {frame.begin * sharedCount / items, frame.end * sharedCount / items};
}

void moec::lowering::x86::emit(KernelFrame &frame, moe::ExpertHiddenOp op) {
  KernelBuilder &b = frame.b;
  const ExpertHiddenOperands given(frame, op);

  BlockedProduct product(frame, given.gate.storage(), op.getCompute(), given.in, 2);
  int64_t sharedColumns = given.sharedGate ? given.sharedGate.leadingRows() : 0;
  auto [sharedBegin, sharedEnd] = sharedItems(frame, sharedColumns, itemsOfColumns(given.intermediate));
  forChosenExperts(b, given.offsets, given.experts, [&, sharedBegin](const ChosenExpert &chosen) {
    Number expert = chosen.index;
    auto assignmentAt = [&](Number i) { return (given.order + chosen.first + i).loadIndex(); };
    auto source = [&](Number i) { return given.input + assignmentAt(i) / given.k * given.in; };
    Number row = frame.begin * columnsPerItem, sharedRow = sharedBegin * columnsPerItem;
    Number afterwards[] = {rowAfter(b, given.gate, chosen.next, given.experts, row, given.sharedGate, sharedRow),
                           rowAfter(b, given.up, chosen.next, given.experts, row, given.sharedUp, sharedRow)};
    product.forBlocks(chosen.count, source, [&](Number first, Number count) {
      b.forRange(frame.begin, frame.end, 1, [&](Number item) {
        product.multiply(
            count, item, frame.end, given.intermediate,
            [&](int64_t group, Number column) { return (group ? given.up : given.gate).matrixRow(expert, column); }, afterwards);
        b.forRange(count, [&](Number row) {
          Number firstColumn = item * columnsPerItem;
          Number assignment = assignmentAt(first + row);
          Pointer destination = given.hidden.slot(assignment) + firstColumn;
          forItemColumns(b, item, given.intermediate, [&](Number column, int64_t lanes) {
            Number g = product.result(0, row, column, lanes), u = product.result(1, row, column, lanes);
            if (given.weights.builder) { // products are linear: the weight of their input is theirs
              Number weight = (given.weights + assignment).load().splat(lanes);
              g = weight * g;
              u = weight * u;
            }
            if (given.gateBias) {
              g = g + (given.gateBias.row(expert) + firstColumn + column).loadF32(lanes);
              u = u + (given.upBias.row(expert) + firstColumn + column).loadF32(lanes);
            }
            (destination + column).store(activate(op.getActivation(), g, u));
          });
        });
      });
    });
  });
  if (!given.sharedGate)
    return;

  BlockedProduct shared(frame, given.sharedGate.storage(), op.getCompute(), given.in, 2);
  auto source = [&](Number row) { return given.input + row * given.in; };
  shared.forBlocks(frame.rows, source, [&, begin = sharedBegin, end = sharedEnd](Number first, Number count) {
    b.forRange(begin, end, 1, [&](Number item) {
      shared.multiply(count, item, end, sharedColumns,
                      [&](int64_t group, Number column) { return (group ? given.sharedUp : given.sharedGate).matrixRow(column); });
      b.forRange(count, [&](Number row) {
        Pointer destination = given.hidden.shared(first + row) + item * columnsPerItem;
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
  const CombineOperands given(frame, op);

  /// `body(start, column, lanes)` for the thread's columns of rows [first, first + count).
  auto forResults = [&](Number first, Number count, function_ref<void(Number, Number, int64_t)> body) {
    b.forRange(count, [&](Number row) {
      b.forRange(frame.begin, frame.end, 1, [&](Number item) {
        Number start = (first + row) * given.out + item * columnsPerItem;
        forItemColumns(b, item, given.out, [&](Number column, int64_t lanes) { body(start, column, lanes); });
      });
    });
  };
  forResults(b.integer(0), frame.rows,
             [&](Number start, Number column, int64_t lanes) { (given.result + start + column).store(b.zero(lanes)); });

  BlockedProduct product(frame, given.down.storage(), op.getCompute(), given.intermediate, 1);
  forChosenExperts(b, given.offsets, given.experts, [&](const ChosenExpert &chosen) {
    Number expert = chosen.index;
    auto assignmentAt = [&](Number i) { return (given.order + chosen.first + i).loadIndex(); };
    auto source = [&](Number i) { return given.hidden.slot(assignmentAt(i)); };
    Number firstRow = frame.begin * columnsPerItem;
    Number afterwards = rowAfter(b, given.down, chosen.next, given.experts, firstRow, given.sharedDown, firstRow);
    product.forBlocks(chosen.count, source, [&](Number first, Number count) {
      b.forRange(frame.begin, frame.end, 1, [&](Number item) {
        product.multiply(
            count, item, frame.end, given.out, [&](int64_t, Number column) { return given.down.matrixRow(expert, column); },
            afterwards);
        b.forRange(count, [&](Number row) {
          Number assignment = assignmentAt(first + row);
          Number weight = given.weights.builder ? (given.weights + assignment).load() : b.real(1);
          Number firstColumn = item * columnsPerItem;
          Pointer destination = given.result + assignment / given.k * given.out + firstColumn;
          forItemColumns(b, item, given.out, [&](Number column, int64_t lanes) {
            Number sum = product.result(0, row, column, lanes);
            if (given.downBias)
              sum = sum + (given.downBias.row(expert) + firstColumn + column).loadF32(lanes);
            (destination + column).store(fma(weight.splat(lanes), sum, (destination + column).load(lanes)));
          });
        });
      });
    });
  });

  auto addResidual = [&](Pointer destination, Number start, Number column, int64_t lanes, Number sum) {
    if (given.residual.builder)
      sum = sum + (given.residual + start + column).load(lanes);
    (destination + start + column).store(sum);
  };
  if (given.sharedDown) {
    int64_t sharedColumns = given.sharedDown.width();
    BlockedProduct shared(frame, given.sharedDown.storage(), op.getCompute(), sharedColumns, 1);
    auto source = [&](Number row) { return given.hidden.shared(row); };
    shared.forBlocks(frame.rows, source, [&](Number first, Number count) {
      b.forRange(frame.begin, frame.end, 1, [&](Number item) {
        shared.multiply(count, item, frame.end, given.out,
                        [&](int64_t, Number column) { return given.sharedDown.matrixRow(column); });
        b.forRange(count, [&](Number row) {
          Number start = (first + row) * given.out + item * columnsPerItem;
          forItemColumns(b, item, given.out, [&](Number column, int64_t lanes) {
            Number sum = (given.result + start + column).load(lanes) + shared.result(0, row, column, lanes);
            addResidual(given.result, start, column, lanes, sum);
          });
        });
      });
    });
  } else if (given.residual.builder) {
    forResults(b.integer(0), frame.rows, [&](Number start, Number column, int64_t lanes) {
      addResidual(given.result, start, column, lanes, (given.result + start + column).load(lanes));
    });
  }
}
