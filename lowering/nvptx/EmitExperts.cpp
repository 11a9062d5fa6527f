// The stages of a mixture of experts: dispatch, the hidden rows of every chosen expert, their combination.
//
// A block takes its columns of every chosen expert, so that blocks have equal work whatever the routing, and sums a result over a
// token's experts in ascending order.
#include "lowering/kernel/Functions.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/MatrixProduct.h"
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

namespace {

/// Columns of a product with each of several weights, by matrix units or else by warps.
class ExpertProduct {
public:
  ExpertProduct(KernelFrame &frame, bool byMatrix, moe::Compute compute, int64_t width, ArrayRef<int64_t> strides, int64_t groups)
      : b(frame.b), groups(groups) {
    if (byMatrix)
      matrix.emplace(frame, width, groups);
    else
      warp.emplace(b, compute, width, strides);
  }

  int64_t columnsOfBlock() const { return matrix ? MatrixProduct::columns : productWarps; }
  int64_t blocksOf(int64_t columns) const { return (columns + columnsOfBlock() - 1) / columnsOfBlock(); }
  static constexpr int64_t threads = MatrixProduct::threads;
  static_assert(threads == productThreads);

  /// Takes the products of all groups for one element; called by one thread.
  using Store = function_ref<void(Number row, Number column, ArrayRef<Number> sums)>;
  /// Rows that are added to the same place of the result: neighbours with the same number, at most `longest`.
  struct Runs {
    int64_t longest = 1;
    function_ref<Number(Number row)> numberOf = nullptr;
  };
  /// Products of `rows` rows of activations with the block's columns. The elements of a run are stored one after the other.
  void multiply(Number block, int64_t columns, Number rows, MatrixProduct::WeightRow weight,
                MatrixProduct::ActivationRow activation, Store store, Runs runs) {
    if (matrix) {
      b.forRange(b.integer(0), rows, MatrixProduct::rows, [&](Number first) {
        Number count = minimum(rows - first, b.integer(MatrixProduct::rows));
        matrix->multiply(
            block * MatrixProduct::columns, columns, count, weight, [&](Number row) { return activation(first + row); },
            [&](Number row, Number column, MatrixProduct::Sums sums) {
              forRun(runs, first, count, row, [&](Number each) { store(first + each, column, sums(each)); });
            });
      });
      return;
    }
    Number column = block * productWarps + b.warp();
    b.ifThen(column < columns, [&] {
      b.forRange(rows, [&](Number row) {
        KernelBuilder::Numbers sums;
        for (int64_t group = 0; group < groups; ++group)
          sums.push_back(warp->dot(weight(group, column), activation(row)));
        b.ifThen(b.lane() == 0, [&] { store(row, column, sums); });
      });
    });
  }

private:
  /// Calls `body` for `row` if it has no run; for all rows of its run if it is the first of them; else not at all.
  void forRun(Runs runs, Number first, Number count, Number row, function_ref<void(Number)> body) {
    if (runs.longest == 1)
      return body(row);
    Number number = runs.numberOf(first + row);
    Number isFirst = (row == 0) | (runs.numberOf(first + maximum(row - 1, b.integer(0))) != number);
    b.forRange(row, minimum(row + runs.longest, count), 1, {isFirst}, [&](Number each, ArrayRef<Number> before) {
      Number continues = before[0] & (runs.numberOf(first + each) == number);
      b.ifThen(continues, [&] { body(each); });
      return KernelBuilder::Numbers{continues};
    });
  }

  KernelBuilder &b;
  int64_t groups;
  std::optional<MatrixProduct> matrix;
  std::optional<WarpProduct> warp;
};

} // namespace

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::ExpertHiddenOp op) {
  KernelBuilder &b = frame.b;
  Weight gate = frame.weight(op.getGate()), up = frame.weight(op.getUp()), gateBias = frame.weight(op.getGateBias()),
         upBias = frame.weight(op.getUpBias()), sharedGate = frame.weight(op.getSharedGate()),
         sharedUp = frame.weight(op.getSharedUp());
  auto gateType = cast<RankedTensorType>(op.getGate().getType());
  int64_t experts = gateType.getDimSize(0), intermediate = gateType.getDimSize(1), in = gateType.getDimSize(2);
  int64_t k = moe::widthOf(op.getOrder().getType()), hiddenWidth = moe::widthOf(op.getType());
  Pointer input = frame.buffer(op.getInput()), offsets = frame.buffer(op.getOffsets()), order = frame.buffer(op.getOrder()),
          result = frame.result(0);

  // The first blocks have the routed experts' columns, the others those of the shared experts.
  bool byMatrix = MatrixProduct::covers(b.target, op.getCompute(), gate.element(), in);
  ExpertProduct product(frame, byMatrix, op.getCompute(), in, {}, 2);
  int64_t routedBlocks = product.blocksOf(intermediate);
  int64_t sharedColumns = sharedGate ? sharedGate.leadingRows() : 0;
  frame.launch(ExpertProduct::threads, {KernelFrame::constant(routedBlocks + product.blocksOf(sharedColumns))});
  Number block = b.block(0);
  auto store = [&](Pointer destination, Number g, Number u) { destination.store(activate(op.getActivation(), g, u)); };
  auto routed = [&] {
    forChosenExperts(b, offsets, experts, [&](Number expert, Number begin, Number end) {
      auto assignmentAt = [&](Number i) { return (order + begin + i).load().toInteger(b.i64); };
      product.multiply(
          block, intermediate, end - begin,
          [&](int64_t group, Number column) { return (group ? up : gate).row(expert) + column * in; },
          [&](Number i) { return input + assignmentAt(i) / k * in; },
          [&](Number i, Number column, ArrayRef<Number> sums) {
            Number g = sums[0], u = sums[1], assignment = assignmentAt(i);
            if (gateBias) {
              g = g + (gateBias.row(expert) + column).loadF32();
              u = u + (upBias.row(expert) + column).loadF32();
            }
            store(result + assignment / k * hiddenWidth + assignment % k * intermediate + column, g, u);
          },
          {});
    });
  };
  if (!sharedGate)
    return routed();
  b.ifThenElse(block < routedBlocks, routed, [&] {
    product.multiply(
        block - routedBlocks, sharedColumns, frame.rows,
        [&](int64_t group, Number column) { return (group ? sharedUp : sharedGate).row(column); },
        [&](Number row) { return input + row * in; },
        [&](Number row, Number column, ArrayRef<Number> sums) {
          store(result + row * hiddenWidth + k * intermediate + column, sums[0], sums[1]);
        },
        {});
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

  int64_t sharedWidth = sharedDown ? sharedDown.width() : 0;
  bool byMatrix = MatrixProduct::covers(b.target, op.getCompute(), down.element(), intermediate, {hiddenWidth, sharedWidth});
  ExpertProduct product(frame, byMatrix, op.getCompute(), intermediate, {hiddenWidth}, 1);
  int64_t columns = product.columnsOfBlock();
  frame.launch(ExpertProduct::threads, {KernelFrame::constant(product.blocksOf(out))});

  /// `body(element)` for the block's columns of all rows of the result.
  auto forResults = [&](function_ref<void(Number)> body) {
    b.forThreads(frame.rows * columns, ExpertProduct::threads, [&](Number i) {
      Number column = b.block(0) * columns + i % columns;
      b.ifThen(column < out, [&] { body(i / columns * out + column); });
    });
    b.barrier();
  };
  forResults([&](Number element) { (result + element).store(b.real(0)); });
  forChosenExperts(b, offsets, experts, [&](Number expert, Number begin, Number end) {
    auto assignmentAt = [&](Number i) { return (order + begin + i).load().toInteger(b.i64); };
    auto tokenAt = [&](Number i) { return assignmentAt(i) / k; }; // an expert may be chosen twice
    product.multiply(
        b.block(0), out, end - begin, [&](int64_t, Number column) { return down.row(expert) + column * intermediate; },
        [&](Number i) {
          Number assignment = assignmentAt(i);
          return hidden + assignment / k * hiddenWidth + assignment % k * intermediate;
        },
        [&](Number i, Number column, ArrayRef<Number> sums) {
          Number sum = sums[0], assignment = assignmentAt(i);
          if (downBias)
            sum = sum + (downBias.row(expert) + column).loadF32();
          Pointer destination = result + assignment / k * out + column;
          destination.store(fma((weights + assignment).load(), sum, destination.load()));
        },
        {k, tokenAt});
    b.barrier(); // the next expert's sums may be added by other threads
  });
  if (sharedDown) {
    ExpertProduct shared(frame, byMatrix, op.getCompute(), sharedWidth, {hiddenWidth, k * intermediate}, 1);
    shared.multiply(
        b.block(0), out, frame.rows, [&](int64_t, Number column) { return sharedDown.row(column); },
        [&](Number row) { return hidden + row * hiddenWidth + k * intermediate; },
        [&](Number row, Number column, ArrayRef<Number> sums) {
          Pointer destination = result + row * out + column;
          destination.store(destination.load() + sums[0]);
        },
        {});
    b.barrier();
  }
  if (residual.builder)
    forResults([&](Number element) { (result + element).store((result + element).load() + (residual + element).load()); });
}
