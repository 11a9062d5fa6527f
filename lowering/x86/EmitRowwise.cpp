// Row-wise ops: one item is one row, which passes through all ops of the group while it is in the cache.
#include "lowering/kernel/RowEmitter.h"
#include "lowering/x86/Emit.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

namespace {

/// Columns are visited in vectors, by one thread.
class VectorRowEmitter : public RowEmitter {
public:
  VectorRowEmitter(KernelFrame &frame, Number row) : RowEmitter(frame.b, frame, row), frame(frame), b(frame.b) {}

private:
  void forColumns(int64_t width, function_ref<void(Number, int64_t)> body) override { b.forColumns(width, body); }
  void forEach(int64_t count, function_ref<void(Number)> body) override { b.forRange(count, body); }
  Pointer allocate(Type element, int64_t count) override { return frame.allocate(element, count); }
  Number sumOfSquares(Pointer elements, int64_t count) override;
  void emitRoute(moe::RouteOp op, Pointer logits, Weight bias, Weight table, Number token, Pointer ids, Pointer weights) override {
    x86::emitRoute(frame, op, logits, bias, table, token, ids, weights);
  }

  KernelFrame &frame;
  KernelBuilder &b;
};

} // namespace

Number VectorRowEmitter::sumOfSquares(Pointer elements, int64_t count) {
  auto square = [&](int64_t lanes) {
    return [elements, lanes](Number i, ArrayRef<Number> sums) {
      Number x = (elements + i).load(lanes);
      return KernelBuilder::Numbers{fma(x, x, sums[0])};
    };
  };
  int64_t whole = count / b.lanes * b.lanes;
  Number sum = b.real(0);
  if (whole)
    sum = b.sumOfLanes(b.forRange(b.integer(0), b.integer(whole), b.lanes, {b.zero(b.lanes)}, square(b.lanes))[0]);
  return whole < count ? b.forRange(b.integer(whole), b.integer(count), 1, {sum}, square(0))[0] : sum;
}

LogicalResult moec::lowering::x86::emitRowwise(KernelFrame &frame) {
  LogicalResult outcome = success();
  frame.b.forRange(frame.begin, frame.end, 1,
                   [&](Number row) { outcome = VectorRowEmitter(frame, row).emit(frame.kernel.getBody().front()); });
  return outcome;
}
