// How shared memory and workspace reach a kernel.
#include "lowering/nvptx/KernelFrame.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

KernelFrame::KernelFrame(KernelBuilder &b, plan::KernelOp kernel, ArrayRef<Value> arguments)
    : KernelArguments(b, kernel, llvm::to_vector(arguments.drop_back(2)), arguments.back()), b(b),
      workspace(b.pointer(arguments[arguments.size() - 2], b.i8)) {}

void KernelFrame::launch(int64_t threads, std::vector<LaunchDimension> grid) {
  shape.threads = threads;
  shape.grid = std::move(grid);
}

LaunchDimension KernelFrame::perRow(int64_t divisor, int64_t factor) const {
  return {.extent = kernel.getRows(), .divisor = divisor, .factor = factor};
}

Pointer KernelFrame::allocateShared(Type element, int64_t count) {
  Pointer memory = b.shared(shape.sharedBytes, element);
  shape.sharedBytes += int64_t(llvm::alignTo(uint64_t(count * bytesOf(element)), 16));
  return memory;
}

Pointer KernelFrame::allocateForRow(Type element, int64_t count, Number row) {
  int64_t bytes = int64_t(llvm::alignTo(uint64_t(count * bytesOf(element)), 16));
  if (shape.sharedBytes + bytes <= b.target.sharedBytes)
    return allocateShared(element, count);
  // One row of this memory after the other, behind all rows of what was allocated before.
  Pointer memory = workspace + (rows * workspacePerRow + row * bytes);
  workspacePerRow += bytes;
  shape.workspace = perRow(1, workspacePerRow);
  return memory.as(element);
}
