// The barrier of a grid: one thread of each block releases what its block stored, waits, and acquires what the others did.
#include "lowering/nvptx/GridBarrier.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// LLVM's name of a GPU.
static constexpr llvm::StringLiteral deviceScope = "device";

/// Releases by a fence of its own: LLVM 22 drops the order of an atomic addition for this target without a word.
Number GridBarrier::arrive() {
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acq_rel, deviceScope);
  return b.number(LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::add, arrivals.value, b.integer32(1).value,
                                            LLVM::AtomicOrdering::monotonic, deviceScope));
}

void GridBarrier::meet() {
  Number expected = (b.gridSize() * ++meetings).toInteger(b.i32);
  b.barrier();
  b.ifThen(b.thread() == 0, [&] {
    arrive();
    auto wait = scf::WhileOp::create(b, TypeRange(), ValueRange());
    OpBuilder::InsertionGuard guard(b);
    b.createBlock(&wait.getBefore());
    Value arrived =
        LLVM::LoadOp::create(b, b.i32, arrivals.value, /*alignment=*/4, /*isVolatile=*/false, /*isNonTemporal=*/false,
                             /*isInvariant=*/false, /*isInvariantGroup=*/false, LLVM::AtomicOrdering::acquire, deviceScope);
    scf::ConditionOp::create(b, (b.number(arrived) < expected).value, ValueRange());
    b.createBlock(&wait.getAfter());
    scf::YieldOp::create(b);
  });
  b.barrier();
}

void GridBarrier::leave() {
  Number last = (b.gridSize() * (meetings + 1) - 1).toInteger(b.i32);
  b.barrier();
  b.ifThen(b.thread() == 0, [&] {
    b.ifThen(arrive() == last, [&] {
      LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::xchg, arrivals.value, b.integer32(0).value, LLVM::AtomicOrdering::monotonic,
                                deviceScope);
    });
  });
}
