// What a kernel is called with besides its buffers: its items and its scratch memory.
#ifndef MOEC_LOWERING_X86_KERNELFRAME_H
#define MOEC_LOWERING_X86_KERNELFRAME_H

#include "lowering/kernel/KernelArguments.h"
#include "lowering/x86/KernelBuilder.h"

namespace moec::lowering::x86 {

class KernelFrame : public KernelArguments {
public:
  /// `arguments` are those of runtime/kernels/Kernel.h.
  KernelFrame(KernelBuilder &b, plan::KernelOp kernel, llvm::ArrayRef<Number> arguments);

  KernelBuilder &b;
  Number begin, end; ///< items to compute

  /// Scratch memory for `count` elements, at a multiple of 64 bytes.
  Pointer allocate(mlir::Type element, int64_t count);
  int64_t scratchBytes() const { return allocated; }

private:
  mlir::Value scratch;
  int64_t allocated = 0;
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_KERNELFRAME_H
