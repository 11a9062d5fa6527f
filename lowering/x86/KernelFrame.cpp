// How items and scratch memory reach a kernel.
#include "lowering/x86/KernelFrame.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

/// The addresses of a kernel's buffers, from the array that it is called with.
static SmallVector<Value> loadAddresses(KernelBuilder &b, plan::KernelOp kernel, Value buffers) {
  SmallVector<Value> addresses;
  for (unsigned i = 0; i < KernelArguments::countBuffers(kernel); ++i)
    addresses.push_back((b.pointer(buffers, b.ptr) + int64_t(i)).loadPointer(b.i8));
  return addresses;
}

KernelFrame::KernelFrame(KernelBuilder &b, plan::KernelOp kernel, ArrayRef<Number> arguments)
    : KernelArguments(b, kernel, loadAddresses(b, kernel, arguments[0]), arguments[1]), b(b), begin(arguments[3]),
      end(arguments[4]), scratch(arguments[2].value) {}

Pointer KernelFrame::allocate(Type element, int64_t count) {
  Pointer memory = b.pointer(scratch, b.i8) + allocated;
  allocated += llvm::alignTo(count * bytesOf(element), 64);
  return memory.as(element);
}
