// The stages of a mixture of experts: dispatch, the hidden rows of every chosen expert, their combination.
//
// A block takes its columns of every chosen expert, so that blocks have equal work whatever the routing, and sums a result over a
// token's experts in ascending order.
#include "lowering/kernel/Functions.h"
#include "lowering/kernel/Operands.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/Product.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t dispatchThreads = Product::threads; // so that it can be chained to the router

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::DispatchOp op) {
  KernelBuilder &b = frame.b;
  frame.launch(dispatchThreads, {KernelFrame::constant(1)});
  int64_t k = moe::widthOf(op.getIds().getType()), experts = op.getExperts();
  Pointer ids = frame.buffer(op.getIds()), offsets = frame.result(0), order = frame.result(1);
  Pointer starts = frame.allocateShared(b.i32, experts);
  Number assignments = frame.rows * k;
  // Thread t has experts t, t + dispatchThreads, ...: it counts their assignments, then writes their numbers.
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

/// Calls `body(expert, first, end)` for the experts that have assignments, in order: `order` entries [first, end). For all lanes of
/// a warp, which look at 32 experts at once.
static void forChosenExperts(KernelBuilder &b, Pointer offsets, int64_t experts, function_ref<void(Number, Number, Number)> body) {
  b.forRange(b.integer(0), b.integer(experts), warpSize, [&](Number base) {
    Number own = base + b.lane(), isExpert = own < experts;
    Number begin = b.loadIf(isExpert, offsets + own, b.integer32(0)), end = b.loadIf(isExpert, offsets + own + 1, b.integer32(0));
    Number chosen = b.ballot(begin < end);
    b.ifThen(chosen != 0, [&] {
      b.forRange(b.integer32(0), b.integer32(warpSize), 1, [&](Number lane) {
        b.ifThen(((chosen >> lane) & b.integer32(1)) != 0, [&] {
          body(base + lane.toInteger(b.i64), b.shuffleFrom(begin, lane).toInteger(b.i64),
               b.shuffleFrom(end, lane).toInteger(b.i64));
        });
      });
    });
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::ExpertHiddenOp op) {
  KernelBuilder &b = frame.b;
  const ExpertHiddenOperands given(frame, op);
  int64_t sharedColumns = given.sharedGate ? given.sharedGate.leadingRows() : 0;

  // The first blocks have the routed experts' columns, the others those of the shared experts.
  bool byMatrix = MatrixProduct::covers(b.target, op.getCompute(), given.gate.element(), given.in);
  Product product(frame, byMatrix, op.getCompute(), given.in, {}, 2);
  int64_t routedBlocks = product.blocksOf(given.intermediate);
  frame.launch(Product::threads, {KernelFrame::constant(routedBlocks + product.blocksOf(sharedColumns))});
  Number block = b.block(0);
  auto store = [&](Pointer destination, Number g, Number u) { destination.store(activate(op.getActivation(), g, u)); };
  auto routed = [&] {
    forChosenExperts(b, given.offsets, given.experts, [&](Number expert, Number begin, Number end) {
      auto assignmentAt = [&](Number i) { return (given.order + begin + i).load().toInteger(b.i64); };
      product.multiply(
          block, given.intermediate, end - begin,
          [&](int64_t group, Number column) { return (group ? given.up : given.gate).row(expert) + column * given.in; },
          [&](Number i) { return given.input + assignmentAt(i) / given.k * given.in; },
          [&](Number i, Number column, ArrayRef<Number> sums) {
            Number g = sums[0], u = sums[1];
            if (given.weights.builder) { // products are linear: the weight of their input is theirs
              Number weight = (given.weights + assignmentAt(i)).load();
              g = weight * g;
              u = weight * u;
            }
            if (given.gateBias) {
              g = g + (given.gateBias.row(expert) + column).loadF32();
              u = u + (given.upBias.row(expert) + column).loadF32();
            }
            store(given.hidden.slot(assignmentAt(i)) + column, g, u);
          });
    });
  };
  if (!given.sharedGate)
    return routed();
  b.ifThenElse(block < routedBlocks, routed, [&] {
    product.multiply(
        block - routedBlocks, sharedColumns, frame.rows,
        [&](int64_t group, Number column) { return (group ? given.sharedUp : given.sharedGate).row(column); },
        [&](Number row) { return given.input + row * given.in; },
        [&](Number row, Number column, ArrayRef<Number> sums) { store(given.hidden.shared(row) + column, sums[0], sums[1]); });
  });
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::CombineOp op) {
  KernelBuilder &b = frame.b;
  const CombineOperands given(frame, op);
  int64_t out = given.out, hiddenWidth = given.hidden.width, sharedWidth = given.sharedDown ? given.sharedDown.width() : 0;
  bool byMatrix =
      MatrixProduct::covers(b.target, op.getCompute(), given.down.element(), given.intermediate, {hiddenWidth, sharedWidth});
  Product product(frame, byMatrix, op.getCompute(), given.intermediate, {hiddenWidth}, 1);
  int64_t columns = product.columnsOfBlock();
  frame.launch(Product::threads, {KernelFrame::constant(product.blocksOf(out))});

  /// `body(element)` for the block's columns of all rows of the result.
  auto forResults = [&](function_ref<void(Pointer, Number)> body) {
    b.forThreads(frame.rows * columns, Product::threads, [&](Number i) {
      Number column = b.block(0) * columns + i % columns, element = i / columns * out + column;
      b.ifThen(column < out, [&] { body(given.result + element, element); });
    });
    b.barrier();
  };
  forResults([&](Pointer place, Number) { place.store(b.real(0)); });
  forChosenExperts(b, given.offsets, given.experts, [&](Number expert, Number begin, Number end) {
    auto assignmentAt = [&](Number i) { return (given.order + begin + i).load().toInteger(b.i64); };
    auto tokenAt = [&](Number i) { return assignmentAt(i) / given.k; }; // an expert may be chosen twice
    product.multiply(
        b.block(0), out, end - begin, [&](int64_t, Number column) { return given.down.row(expert) + column * given.intermediate; },
        [&](Number i) { return given.hidden.slot(assignmentAt(i)); },
        [&](Number i, Number column, ArrayRef<Number> sums) {
          Number sum = sums[0], assignment = assignmentAt(i);
          if (given.downBias)
            sum = sum + (given.downBias.row(expert) + column).loadF32();
          Pointer place = given.result + assignment / given.k * out + column;
          Number weight = given.weights.builder ? (given.weights + assignment).load() : b.real(1);
          place.store(fma(weight, sum, place.load()));
        },
        {given.k, tokenAt});
    b.barrier(); // the next expert's sums may be added by other threads
  });
  if (given.sharedDown) {
    Product shared(frame, byMatrix, op.getCompute(), sharedWidth, {hiddenWidth, given.k * given.intermediate}, 1);
    shared.multiply(
        b.block(0), out, frame.rows, [&](int64_t, Number column) { return given.sharedDown.row(column); },
        [&](Number row) { return given.hidden.shared(row); },
        [&](Number row, Number column, ArrayRef<Number> sums) {
          Pointer place = given.result + row * out + column;
          place.store(place.load() + sums[0]);
        });
    b.barrier();
  }
  if (given.residual.builder)
    forResults([&](Pointer place, Number element) { place.store(place.load() + (given.residual + element).load()); });
}
