// What a kernel is called with besides its buffers: shared memory, a workspace; and how it asks to be launched.
#ifndef MOEC_LOWERING_NVPTX_KERNELFRAME_H
#define MOEC_LOWERING_NVPTX_KERNELFRAME_H

#include "lowering/GpuCode.h"
#include "lowering/kernel/KernelArguments.h"
#include "lowering/nvptx/KernelBuilder.h"

namespace moec::lowering::nvptx {

class KernelFrame : public KernelArguments {
public:
  /// `arguments` are the addresses of the buffers, then of the workspace, then of the step's numbers.
  KernelFrame(KernelBuilder &b, plan::KernelOp kernel, llvm::ArrayRef<mlir::Value> arguments);
  static unsigned countArguments(plan::KernelOp kernel) { return countBuffers(kernel) + 2; }

  KernelBuilder &b;
  LaunchShape shape;

  /// Blocks of `threads`, in a grid of these dimensions.
  void launch(int64_t threads, std::vector<LaunchDimension> grid);
  /// As many as the constant; factor x ceil(rows / divisor), of the rows of the region's tensors.
  static LaunchDimension constant(int64_t count) { return {.addend = count}; }
  LaunchDimension perRow(int64_t divisor = 1, int64_t factor = 1) const;

  /// Shared memory of the block for `count` elements, at a multiple of 16 bytes.
  Pointer allocateShared(mlir::Type element, int64_t count);
  /// Memory of the block that computes `row`, shared if it fits, else in the workspace.
  Pointer allocateForRow(mlir::Type element, int64_t count, Number row);

private:
  Pointer workspace;
  int64_t workspacePerRow = 0;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_KERNELFRAME_H
