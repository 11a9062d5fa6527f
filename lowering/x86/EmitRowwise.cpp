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
  void forGroups(int64_t count, function_ref<void(Number)> body) override { b.forRange(count, body); }
  Pointer allocate(Type element, int64_t count) override { return frame.allocate(element, count); }
  Number sumOf(Pointer elements, int64_t count) override {
    return fold(elements, count, [](Number x, Number sum) { return sum + x; });
  }
  Number sumOfSquares(Pointer elements, int64_t count) override {
    return fold(elements, count, [](Number x, Number sum) { return fma(x, x, sum); });
  }
  void emitRoute(moe::RouteOp op, Pointer logits, Weight bias, Weight table, Number token, Pointer ids, Pointer weights) override {
    x86::emitRoute(frame, op, logits, bias, table, token, ids, weights);
  }

  /// Adds up elements in vectors, then the vector's lanes, then the elements that fill none.
  Number fold(Pointer elements, int64_t count, function_ref<Number(Number, Number)> add);

  KernelFrame &frame;
  KernelBuilder &b;
};

} // namespace

Number VectorRowEmitter::fold(Pointer elements, int64_t count, function_ref<Number(Number, Number)> add) {
  auto next = [&](int64_t lanes) {
    return [elements, lanes, add](Number i, ArrayRef<Number> sums) {
      return KernelBuilder::Numbers{add((elements + i).load(lanes), sums[0])};
    };
  };
  int64_t whole = count / b.lanes * b.lanes;
  Number sum = b.real(0);
  if (whole)
    sum = b.sumOfLanes(b.forRange(b.integer(0), b.integer(whole), b.lanes, {b.zero(b.lanes)}, next(b.lanes))[0]);
  return whole < count ? b.forRange(b.integer(whole), b.integer(count), 1, {sum}, next(0))[0] : sum;
}

LogicalResult moec::lowering::x86::emitRowwise(KernelFrame &frame) {
  LogicalResult outcome = success();
  frame.b.forRange(frame.begin, frame.end, 1,
                   [&](Number row) { outcome = VectorRowEmitter(frame, row).emit(frame.kernel.getBody().front()); });
  return outcome;
}
