// Counters in the workspace; the first thread of a block speaks for all.
#include "lowering/nvptx/LaunchOrder.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr llvm::StringLiteral device = "device";

LaunchOrder::LaunchOrder(KernelFrame &frame, int64_t stages)
    : b(frame.b), stages(stages), counters(frame.allocateCounters(stages)) {}

/// Counts a piece of a stage; how many were done before. Orders nothing by itself: LLVM's back end for PTX drops what it is told of
/// that.
Number LaunchOrder::count(int64_t stage) {
  return b.number(LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::add, counters + stage, b.integer32(1),
                                            LLVM::AtomicOrdering::monotonic, device));
}

void LaunchOrder::fence() { LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acq_rel, device); }

void LaunchOrder::waitFor(int64_t stage, Number pieces) {
  b.ifThen(b.thread() == 0, [&] {
    auto loop = scf::WhileOp::create(b, TypeRange(), ValueRange());
    OpBuilder::InsertionGuard guard(b);
    b.createBlock(&loop.getBefore());
    Value done =
        LLVM::LoadOp::create(b, b.i32, counters + stage, 4, false, false, false, false, LLVM::AtomicOrdering::acquire, device);
    scf::ConditionOp::create(b, b.number(done).toUnsigned(b.i64) < pieces, ValueRange());
    b.createBlock(&loop.getAfter());
    b.sleep();
    scf::YieldOp::create(b);
  });
  b.barrier();
}

void LaunchOrder::finish(int64_t stage) {
  b.barrier();
  b.ifThen(b.thread() == 0, [&] {
    fence();
    count(stage);
  });
}

void LaunchOrder::finishLast(Number pieces) {
  b.barrier();
  b.ifThen(b.thread() == 0, [&] {
    fence();
    Number before = count(stages - 1).toUnsigned(b.i64);
    b.ifThen(before + 1 == pieces, [&] { // nobody counts any more
      fence();
      for (int64_t counter = 0; counter < stages; ++counter)
        LLVM::StoreOp::create(b, b.integer32(0), counters + counter, 4, false, false, false, LLVM::AtomicOrdering::monotonic,
                              device);
    });
  });
}
