// The entry of a chain of kernels.
#ifndef MOEC_LOWERING_NVPTX_LAUNCHES_EMITCHAIN_H
#define MOEC_LOWERING_NVPTX_LAUNCHES_EMITCHAIN_H

#include "lowering/GpuCode.h"
#include "lowering/nvptx/KernelBuilder.h"

namespace moec::lowering::nvptx {

/// Appends the entry of `chain`, whose `kernels` are launched like `shapes`. Fails where emitting one of them does.
mlir::LogicalResult emitChain(KernelBuilder &b, const LaunchChain &chain, llvm::ArrayRef<plan::KernelOp> kernels,
                              llvm::ArrayRef<LaunchShape> shapes);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_LAUNCHES_EMITCHAIN_H
