// Row-wise ops: a block takes one row through all ops of the group, its threads up to four neighbouring columns each; a warp takes
// one of several groups of columns, such as a head.
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
    auto [lanes, step] = KernelBuilder::columnsOfThread(width, visitors());
    b.forRange(visitor() * step, b.integer(width), visitors() * step, [&](Number column) { body(column, lanes); });
    meet();
  }
  void forEach(int64_t count, function_ref<void(Number)> body) override {
    b.forRange(visitor(), b.integer(count), visitors(), body);
    meet();
  }
  void forGroups(int64_t count, function_ref<void(Number)> body) override {
    if (count < threads / warpSize)
      return b.forRange(count, body);
    ofWarp = true;
    b.forRange(b.warp(), b.integer(count), threads / warpSize, body);
    ofWarp = false;
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
    auto [lanes, step] = KernelBuilder::columnsOfThread(count, visitors());
    Number zero = b.real(0).splat(lanes);
    Number sums = b.forRange(visitor() * step, b.integer(count), visitors() * step, {zero}, [&](Number i, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{add((elements + i).load(lanes), before[0])};
    })[0];
    Number own = b.sumOfElements(sums);
    return ofWarp ? b.sumOverWarp(own) : reduction.sum(own);
  }

  /// Who visits columns: the threads of the block, or of a group's warp.
  int64_t visitors() const { return ofWarp ? warpSize : threads; }
  Number visitor() { return ofWarp ? b.lane() : b.thread(); }
  void meet() { ofWarp ? b.syncWarp() : b.barrier(); }

  KernelFrame &frame;
  KernelBuilder &b;
  Number row;
  BlockReduction reduction;
  bool ofWarp = false; ///< what is emitted is one warp's
};

} // namespace

LogicalResult moec::lowering::nvptx::emitRowwise(KernelFrame &frame) {
  frame.launch(threads, {frame.perRow()});
  return BlockRowEmitter(frame, frame.b.block(0)).emit(frame.kernel.getBody().front());
}
