// Row-wise ops: a block takes one row through all ops of the group, its threads up to four neighbouring columns each.
#include "lowering/kernel/RowEmitter.h"
#include "lowering/nvptx/BlockReduction.h"
#include "lowering/nvptx/Emit.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t threads = 128;

namespace {

class BlockRowEmitter : public RowEmitter {
public:
  BlockRowEmitter(KernelFrame &frame, Number row)
      : RowEmitter(frame.b, frame, row), frame(frame), b(frame.b), row(row), reduction(frame, threads) {}

private:
  void forColumns(int64_t width, function_ref<void(Number, int64_t)> body) override {
    b.forColumns(width, threads, body);
    b.barrier();
  }
  void forEach(int64_t count, function_ref<void(Number)> body) override {
    b.forThreads(b.integer(count), threads, body);
    b.barrier();
  }
  Pointer allocate(Type element, int64_t count) override { return frame.allocateForRow(element, count, row); }
  Number sumOf(Pointer elements, int64_t count) override {
    return fold(elements, count, [](Number x, Number sum) { return sum + x; });
  }
  Number sumOfSquares(Pointer elements, int64_t count) override {
    return fold(elements, count, [](Number x, Number sum) { return fma(x, x, sum); });
  }
  void emitRoute(moe::RouteOp op, Pointer logits, Weight bias, Weight table, Number token, Pointer ids, Pointer weights) override {
    nvptx::emitRoute(frame, threads, op, logits, bias, table, token, row, ids, weights);
  }

  Number fold(Pointer elements, int64_t count, function_ref<Number(Number, Number)> add) {
    auto [lanes, step] = KernelBuilder::columnsOfThread(count, threads);
    Number zero = b.real(0).splat(lanes);
    Number sums = b.forRange(b.thread() * step, b.integer(count), threads * step, {zero}, [&](Number i, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{add((elements + i).load(lanes), before[0])};
    })[0];
    return reduction.sum(b.sumOfElements(sums));
  }

  KernelFrame &frame;
  KernelBuilder &b;
  Number row;
  BlockReduction reduction;
};

} // namespace

LogicalResult moec::lowering::nvptx::emitRowwise(KernelFrame &frame) {
  frame.launch(threads, {frame.perRow()});
  return BlockRowEmitter(frame, frame.b.block(0)).emit(frame.kernel.getBody().front());
}
