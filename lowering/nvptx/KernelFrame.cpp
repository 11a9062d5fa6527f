// How shared memory and workspace reach a kernel.
#include "lowering/nvptx/KernelFrame.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

KernelFrame::KernelFrame(KernelBuilder &b, plan::KernelOp kernel, ArrayRef<Value> arguments)
    : KernelArguments(b, kernel, llvm::to_vector(arguments.drop_back(2)), arguments.back()), b(b),
      workspace(b.pointer(arguments[arguments.size() - 2], b.i8)) {}

void KernelFrame::remark(StringRef pass, bool passed, const std::string &text) const {
  if (isInChain)
    return;
  auto label = remark::RemarkOpts::name(pass).category(pass).function(kernel.getSymName());
  (passed ? remark::passed(kernel.getLoc(), label) : remark::missed(kernel.getLoc(), label)) << b.target.name.str() + ", " + text;
}

void KernelFrame::noteThreads(moe::Compute compute, StringRef why) const {
  if (b.target.hasMatrixUnits && compute == moe::Compute::BF16)
    remark("matrix-units", /*passed=*/false, "by threads: " + why.str());
}

void KernelFrame::launch(int64_t threads, std::vector<LaunchDimension> grid) {
  shape.threads = threads;
  shape.grid = std::move(grid);
}

LaunchDimension KernelFrame::perRow(int64_t divisor, int64_t factor) const {
  return {.extent = kernel.getRows(), .divisor = divisor, .factor = factor};
}

/// Of `count` elements, up to a multiple of what memory moves at once.
static int64_t roundedBytes(Type element, int64_t count, uint64_t multiple) {
  return int64_t(llvm::alignTo(uint64_t(count * bytesOf(element)), multiple));
}

Pointer KernelFrame::allocateShared(Type element, int64_t count) {
  Pointer memory = b.shared(sharedBytes, element);
  sharedBytes += roundedBytes(element, count, 16);
  shape.sharedBytes = std::max(shape.sharedBytes, sharedBytes);
  return memory;
}

void KernelFrame::alternative(function_ref<void()> body) {
  int64_t before = sharedBytes;
  body();
  sharedBytes = before;
}

Pointer KernelFrame::allocateForRow(Type element, int64_t count, Number row) {
  if (sharedBytes + roundedBytes(element, count, 16) <= b.target.sharedBytes)
    return allocateShared(element, count);
  int64_t bytes = roundedBytes(element, count, 32);
  return allocateForRows(element, count).plusBytes(row * bytes);
}

Pointer KernelFrame::allocateForRows(Type element, int64_t count) {
  Pointer memory = workspace + (rows * workspacePerRow + shape.workspace.addend);
  workspacePerRow += roundedBytes(element, count, 32);
  shape.workspace = {.extent = kernel.getRows(), .factor = workspacePerRow, .addend = shape.workspace.addend};
  return memory.as(element);
}

Pointer KernelFrame::allocateForStep(Type element, int64_t count) {
  assert(workspacePerRow == 0 && "rows lie behind");
  Pointer memory = workspace + shape.workspace.addend;
  shape.workspace.addend += roundedBytes(element, count, 256);
  return memory.as(element);
}

Pointer KernelFrame::allocateCounters(int64_t count) {
  assert(shape.workspace.addend == 0 && "counters come first");
  Pointer counters = allocateForStep(b.i32, count);
  shape.counterBytes = shape.workspace.addend;
  return counters;
}
