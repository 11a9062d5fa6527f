// Counts that order what blocks store. The fence stands by itself: LLVM's back end for PTX drops the order of an atomic addition
// without a word.
#include "lowering/nvptx/launches/Signal.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// LLVM's name of a GPU.
static constexpr llvm::StringLiteral deviceScope = "device";
static constexpr unsigned alignment = 4;

void Signal::fence() { LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acq_rel, deviceScope); }

Number Signal::raise() {
  fence();
  return add();
}

Number Signal::add() {
  Number before = b.number(LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::add, count.value, b.integer32(1),
                                                     LLVM::AtomicOrdering::monotonic, deviceScope));
  return before.toUnsigned(b.i64);
}

void Signal::await(Number expected) {
  Number wanted = expected.toInteger(b.i32); // no grid has 2^31 blocks
  auto loop = scf::WhileOp::create(b, TypeRange(), ValueRange());
  OpBuilder::InsertionGuard guard(b);
  b.createBlock(&loop.getBefore());
  Value reached =
      LLVM::LoadOp::create(b, b.i32, count.value, alignment, /*isVolatile=*/false, /*isNonTemporal=*/false,
                           /*isInvariant=*/false, /*isInvariantGroup=*/false, LLVM::AtomicOrdering::acquire, deviceScope);
  scf::ConditionOp::create(b, b.number(reached) < wanted, ValueRange());
  b.createBlock(&loop.getAfter());
  b.sleep();
  scf::YieldOp::create(b);
}

void Signal::raiseByBlock() {
  b.barrier();
  b.ifThen(b.thread() == 0, [&] { raise(); });
}

void Signal::awaitByBlock(Number expected) {
  b.ifThen(b.thread() == 0, [&] { await(expected); });
  b.barrier();
}

void Signal::reset() {
  LLVM::StoreOp::create(b, b.integer32(0), count.value, alignment, /*isVolatile=*/false, /*isNonTemporal=*/false,
                        /*isInvariantGroup=*/false, LLVM::AtomicOrdering::monotonic, deviceScope);
}
